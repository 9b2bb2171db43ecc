"""Deploying to the two clouds and tearing down again: what would be done, as data, and the doing of it."""
