"""The Elastic Node's own protocol: its bus, its addresses, its shell."""
