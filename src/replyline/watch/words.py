"""Counts and times as people say them."""

from datetime import timedelta


def texts_of(count: int) -> str:
    return "1 text is" if count == 1 else f"{count} texts are"


def many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def span(time: timedelta) -> str:
    """In the largest unit that is filled twice: 90 s, 3 min, 5 h."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
