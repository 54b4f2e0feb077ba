"""What is around the accelerator on a board: links, protocol, counters, clock and pins."""
