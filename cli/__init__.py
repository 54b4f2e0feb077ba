"""The `bitformer` command: parses, calls, prints."""
