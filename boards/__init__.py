"""Boards as plain data, shells around the accelerator, build plans, host drivers."""
