"""Which time of day a text names: "6ish", "half past 6", "noon", "in 2 hours"."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from replyline.llm.scripted.when_words import HOUR, HOURS_SPOKEN, NUMBER, PARTS, number

Said = re.Match[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Halves:
    """What helps to tell whether a bare 6 is in the morning or in the evening."""

    hours: tuple[float, float]  # opening hours
    part: str | None
    near: time | None
    offered: tuple[time, ...]

    def choose(self, hour: int, minute: int) -> time:
        free = [each for each in self.offered if (each.hour % 12, each.minute) == (hour % 12, minute)]
        if len(free) == 1:
            return free[0]
        early, late = hour + minute / 60, hour + 12 + minute / 60
        opens, closes = PARTS.get(self.part or "", self.hours)
        if self.part is None and self.near is not None:
            reference = self.near.hour + self.near.minute / 60
            is_late = abs(late - reference) < abs(early - reference)
        elif opens <= early < closes and opens <= late <= closes:
            is_late = hour < 7  # both are open: few people mean 6 in the morning
        elif opens <= late <= closes:
            is_late = not opens <= early < closes
        else:
            is_late = hour < 7 and not opens <= early < closes  # nobody means 3 in the morning
        return time(hour + 12 * is_late, minute)


def at_half_named(said: Said, now: datetime, halves: Halves) -> time:
    return time(int(said["hour"]) % 12 + 12 * (said["half"] == "p"), int(said["minute"] or 0))


def at_digits(said: Said, now: datetime, halves: Halves) -> time:
    hour, minute = int(said["hour"]), int(said["minute"])
    if 0 < hour < 12 and not said["hour"].startswith("0"):
        return halves.choose(hour, minute)
    return time(hour, minute)


def at_noon(said: Said, now: datetime, halves: Halves) -> time:
    return time(12 if said["word"] == "noon" else 0)


def after_hours(said: Said, now: datetime, halves: Halves) -> datetime:
    count = 0.5 if said["count"].startswith("half") else number(said["count"])
    elapsed = timedelta(minutes=count * (60 if said["unit"].startswith("h") else 1))
    later = now + elapsed if now.tzinfo is None else (now.astimezone(UTC) + elapsed).astimezone(now.tzinfo)
    return later.replace(second=0, microsecond=0, tzinfo=None)


def at_bare_hour(said: Said, now: datetime, halves: Halves) -> time:
    hour = int(said["hour"])
    return halves.choose(hour, 0) if hour < 12 else time(12)


Clock = Callable[[Said, datetime, Halves], time | datetime]

# "at 2" is a time; "for 2 people", "about 30%" and "at 12 Main St" are not.
COUNTED = "people|ppl|persons?|adults?|guests?|kids?|of us|dollars|bucks|days?|weeks?|hours?|minutes?"
NOT_A_COUNT = (
    rf"(?!(?:st|nd|rd|th)\b|\s?(?::\d|/|%|(?:{COUNTED})\b))(?! \w+ (?:st|street|ave|avenue|rd|road|dr|blvd|lane)\b)"
)

# In this order, with whether the half of the day is plain.
CLOCK_RULES: tuple[tuple[re.Pattern[str], Clock, bool], ...] = tuple(
    (re.compile(pattern), meaning, names_half)
    for pattern, meaning, names_half in (
        (rf"\b(?P<hour>{HOUR})(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>[ap])m?\b(?!')", at_half_named, True),
        (r"\b(?P<hour>[01]?\d|2[0-3])[:h](?P<minute>[0-5]\d)(?::[0-5]\d)?h?\b", at_digits, False),
        (r"\b(?P<word>noon|midnight)\b", at_noon, True),
        (
            rf"\bin (?P<count>{NUMBER}|half an?)(?: of)? (?P<unit>hours?|hrs?|minutes?|mins?)\b",
            after_hours,
            True,
        ),
        (rf"\b(?:at|around|about|by|after|before|from|for) (?P<hour>1[0-2]|[1-9])\b{NOT_A_COUNT}", at_bare_hour, False),
        (
            r"\bto (?P<hour>1[0-2]|[1-9])\b(?=\s*(?:$|[.,!?]|instead|pl[sz]|please|on\b|if\b|then\b|tonight|tomorrow|\w+day\b))",
            at_bare_hour,
            False,
        ),
    )
)
# "tomorrow 3", "tue 9": a number right after the day.
AFTER_DAY = re.compile(rf"^\W*(?P<hour>1[0-2]|[1-9])\b{NOT_A_COUNT}")


def find_clock(rest: str, after_day: str, now: datetime, halves: Halves) -> tuple[time | datetime | None, bool]:
    for pattern, meaning, names_half in CLOCK_RULES:
        if said := pattern.search(rest):
            return meaning(said, now, halves), names_half or halves.part is not None
    if said := AFTER_DAY.match(after_day):
        return at_bare_hour(said, now, halves), halves.part is not None
    return None, False


# What people write when asked for a time: "6", "maybe six", "let's say 6 30".
ANSWER = re.compile(
    rf"^\W*(?:[a-z']+ ){{0,5}}?(?P<hour>1[0-2]|[1-9]|{'|'.join(HOURS_SPOKEN)})(?:[: ](?P<minute>[0-5]\d))?\b"
    + NOT_A_COUNT
)


def find_answer(rest: str, halves: Halves) -> time | None:
    if not (said := ANSWER.match(rest)):
        return None
    hour, minute = number(said["hour"]), int(said["minute"] or 0)
    return halves.choose(hour, minute) if hour < 12 else time(12, minute)
