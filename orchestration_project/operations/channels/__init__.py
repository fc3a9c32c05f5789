"""Channels: the ways out of the system, one module each."""
