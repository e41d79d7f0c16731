"""A text leaves."""
