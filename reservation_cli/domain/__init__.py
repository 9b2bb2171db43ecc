"""The reservation, its timelines and what follows from them. Standard library only, no input or output."""
