"""Hostile input: whatever a stranger, Twilio, a model or a line's own code may hand us."""
