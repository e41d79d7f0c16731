"""Where your Python hooks in: a line, its actions, its context, its rules."""
