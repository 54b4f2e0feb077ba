"""The host's end of the framed protocol."""
