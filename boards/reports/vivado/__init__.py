"""Readers of Vivado's reports."""
