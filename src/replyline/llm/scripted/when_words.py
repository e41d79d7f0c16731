"""The words of days and times, and the shorthand of text messages made plain."""

import re
from collections.abc import Callable


def numbered(*names: str) -> dict[str, int]:
    """Each word of each name by the position of the name."""
    return {word: at for at, words in enumerate(names) for word in words.split()}


def any_of(words: dict[str, int]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


WEEKDAYS = numbered(
    "monday mon",
    "tuesday tues tue",
    "wednesday weds wed",
    "thursday thurs thur thu",
    "friday fri",
    "saturday sat",
    "sunday sun",
)
MONTHS = {
    word: at + 1
    for word, at in numbered(
        "january jan",
        "february feb",
        "march mar",
        "april apr",
        "may",
        "june jun",
        "july jul",
        "august aug",
        "september sept sep",
        "october oct",
        "november nov",
        "december dec",
    ).items()
}
HOURS_SPOKEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS = numbered("zero", *HOURS_SPOKEN) | {"a": 1, "an": 1, "couple": 2}
# The part of a day, and between which hours a bare number then lies.
PARTS: dict[str, tuple[float, float]] = {
    "morning": (5, 12),
    "afternoon": (12, 17),
    "evening": (17, 22),
    "tonight": (17, 24),
    "night": (17, 24),
    "lunchtime": (11, 14),
    "lunch": (11, 14),
}

WEEKDAY, MONTH = any_of(WEEKDAYS), any_of(MONTHS)
NUMBER = r"\d{1,3}|" + any_of(NUMBERS)
SPOKEN = r"\d{1,2}|" + any_of(NUMBERS)
DAY = r"(?:3[01]|[12]\d|0?[1-9])"
HOUR = r"1[0-2]|0?[1-9]"


def number(word: str) -> int:
    return NUMBERS[word] if word in NUMBERS else int(word)


Said = re.Match[str]


def half_past(said: Said) -> str:
    return f"{number(said[1])}:30"


def quarter_past(said: Said) -> str:
    return f"{number(said[1])}:15"


def quarter_to(said: Said) -> str:
    return f"{(number(said[1]) - 2) % 12 + 1}:45"


def in_digits(said: Said) -> str:
    return f"{said[1]} {number(said[2])}"


SHORTHAND: tuple[tuple[re.Pattern[str], str | Callable[[Said], str]], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"[’`]", "'"),
        (r"\b(?:2moro|2morrow|2mrw|tmrw|tmrrw|tmrow|tmr|tmw|tomm?orr?ow|tomoro|tomorro|tom)\b", "tomorrow"),
        (r"\b(?:2day|tdy)\b", "today"),
        (r"\b(?:yest|yday|yesturday)\b", "yesterday"),
        (r"\b(?:2nite|tonite)\b", "tonight"),
        (r"\bwe[nd]+n?e?s?day\b|\bwensday\b", "wednesday"),
        (r"\bth?ursday\b|\bthrusday\b", "thursday"),
        (r"\bsaterday\b", "saturday"),
        (r"\b([ap])\.\s?m\b\.?", r"\1m"),
        (r"\bmidday\b|\bnoonish\b", "noon"),
        (r"\bo'?clock\b", ":00h"),
        (r"(\d)\s+:00h", r"\1:00h"),
        (r"@", " at "),
        (r"\bnxt\b", "next"),
        (r"\bwk\b", "week"),
        (r"(\d)\s?-?ish\b", r"\1"),
        (rf"\bhalf (?:past )?({SPOKEN})\b(?! hours?)", half_past),
        (rf"\b(?:quarter|1/4) past ({SPOKEN})\b", quarter_past),
        (rf"\b(?:quarter|1/4) (?:to|till|til|of) ({SPOKEN})\b", quarter_to),
        (r"\b(\d{1,2})(\d\d)\s?([ap]m?)\b", r"\1:\2 \3"),
        (
            rf"\b(at|around|about|by|after|before|from) ({'|'.join(word for word in NUMBERS if len(word) > 2)})\b"
            r"(?! (?:minutes?|hours?|days?|weeks?))",
            in_digits,
        ),
    )
)


def plain(text: str) -> str:
    """In small letters, with shorthand spelled out: "2moro @ 6ish" is "tomorrow at 6"."""
    words = f" {text.lower()} "
    for pattern, spelled in SHORTHAND:
        words = pattern.sub(spelled, words)
    return re.sub(r"\s+", " ", words)
