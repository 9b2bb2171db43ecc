"""The two platforms behind one protocol; vendor JSON and vendor errors end here."""
