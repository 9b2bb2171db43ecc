"""Many reservations on both platforms in one run: tickets, sending them, collecting what became of them."""
