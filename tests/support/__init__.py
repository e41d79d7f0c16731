"""What tests stand on: databases of their own, and an honest list of what was left out."""
