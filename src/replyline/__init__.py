"""Answers a business's phone number by text message."""
