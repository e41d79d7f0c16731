"""Fixtures for the tests of your own line; pytest finds them by itself once Replyline is installed."""
