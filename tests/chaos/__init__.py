"""WHAT HOLDS WHEN EVERYTHING BREAKS: hundreds of conversations at once, and processes killed at any moment.

`make chaos` runs it long, with a Twilio, a model, a database and a disk that fail; the test suite runs it shorter.
"""
