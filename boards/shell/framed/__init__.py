"""The framed protocol's end on the chip."""
