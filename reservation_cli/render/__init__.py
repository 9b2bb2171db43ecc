"""Data in, text out: the only place that draws."""
