"""What to say is decided."""
