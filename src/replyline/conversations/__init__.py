"""Who we talk to, what was said."""
