"""Families of FPGAs: a file for each, with every fact of it that other packages need."""
