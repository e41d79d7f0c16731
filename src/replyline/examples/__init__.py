"""Lines to read, copy and try."""
