"""The commands that have words of their own: consent, contact, gate, why."""
