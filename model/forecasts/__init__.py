"""Forecasts of what comes after the rows of a file, in the file's units."""
