"""Reservations on a local stack of their own while its processes are killed, and what became of them."""
