"""What people may ask of a business that texts them: what it has of them, and to forget it."""
