"""The local stack: both real engines on this machine, on 127.0.0.1 only."""
