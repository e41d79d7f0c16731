"""A text arrives."""
