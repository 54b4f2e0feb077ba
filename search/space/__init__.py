"""Every combination of bits at once: quantities of all, as arrays."""
