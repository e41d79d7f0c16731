"""The day and the time an English text message names: "tmrw 3pm", "next tue at 9", "half past 6 on the 24th".

At most one day and one time are found, and `When` says which of the two. Local time throughout; only "in 2 hours" goes by
elapsed time, so that a clock change in between does not count.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from replyline.llm.scripted.when_words import DAY, HOUR, MONTH, MONTHS, NUMBER, PARTS, WEEKDAY, WEEKDAYS, number, plain

Hours = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """What a text said about a moment."""

    day: date | None = None
    clock: time | None = None
    part: str | None = None  # "morning", "evening" ..., when no exact time was given
    is_past: bool = False  # the words name a moment that is over
    names_day: bool = False  # false when the day was only filled in from a bare time
    names_half: bool = False  # whether it is plain that the time is before or after noon

    def __bool__(self) -> bool:
        return bool(self.day or self.clock or self.part)


def find_when(text: str, now: datetime, hours: Hours = (9, 17), near: time | None = None) -> When:
    """The moment `text` names, if any. A bare "6" is taken nearest to `near`, else within opening `hours`."""
    words = without_origin(plain(text))
    part = next((word for word in PARTS if re.search(rf"\b{word}\b", words)), None)
    found_day, day = find_day(words, now.date())
    clock, names_half = find_clock(words, found_day, now, Halves(hours=hours, part=part, near=near))
    if isinstance(clock, datetime):
        day, clock = clock.date(), clock.time()
    names_day = day is not None
    if clock and day is None and not (found_day and found_day.re is NEXT_WEEK):
        day = now.date() + timedelta(clock <= now.time())  # the next such moment
    local = now.replace(tzinfo=None)
    is_past = bool(day and (day < local.date() or (clock and datetime.combine(day, clock) < local)))
    part = None if clock else part
    return When(day=day, clock=clock, part=part, is_past=is_past, names_day=names_day, names_half=names_half)


def without_origin(words: str) -> str:
    """ "move my 9am to 11am" is about 11am."""
    target = rf"(?=\S*\d|{WEEKDAY}|next|tomorrow|today|noon)"
    origin = re.search(rf"\b(?:from|not|instead of|my)\b(?: my)? ([^.?!]{{2,25}}?) to {target}", words)
    return words[: origin.start()] + " to " + words[origin.end() :] if origin else words


Said = re.Match[str]


def on_iso_date(said: Said, today: date) -> date | None:
    return next_date(today, int(said["month"]), int(said["day"]), said["year"])


def on_named_month(said: Said, today: date) -> date | None:
    return next_date(today, MONTHS[said["month"]], int(said["day"]), said["year"])


def on_day_of_month(said: Said, today: date) -> date | None:
    for ahead in range(12):
        year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        day = as_date(year, month + 1, int(said["day"]))
        if day and day >= today:
            return day
    return None


def after_days(said: Said, today: date) -> date:
    days = number(said["count"]) * (7 if said["unit"].startswith("week") else 1)
    return today + timedelta(days + ("from tomorrow" in said[0]))


def on_relative_day(said: Said, today: date) -> date:
    return today + timedelta({"today": 0, "tonight": 0, "tomorrow": 1}.get(said["word"], 2))


def week_after(said: Said, today: date) -> date:
    return ahead(today, said["weekday"], skip_today=True) + timedelta(7)


def in_next_week(said: Said, today: date) -> date:
    return today - timedelta(today.weekday()) + timedelta(7 + WEEKDAYS[said["weekday"]])


def on_this_weekday(said: Said, today: date) -> date:
    return ahead(today, said["weekday"], skip_today=False)


def on_weekday(said: Said, today: date) -> date:
    return ahead(today, said["weekday"], skip_today=True)


def no_day_yet(said: Said, today: date) -> None:
    return None


NEXT_WEEK = re.compile(r"\bnext week\b")

# In this order: the first that matches is the day.
DAY_RULES: tuple[tuple[re.Pattern[str], Callable[[Said, date], date | None]], ...] = tuple(
    (re.compile(pattern) if isinstance(pattern, str) else pattern, meaning)
    for pattern, meaning in (
        (r"\b(?P<year>20\d\d)-(?P<month>\d\d?)-(?P<day>\d\d?)(?:t(?=\d))?", on_iso_date),
        (
            rf"\b(?P<month>1[0-2]|0?[1-9])[/-](?P<day>{DAY})(?:[/-](?P<year>(?:20)?\d\d))?\b(?!\s?(?:of|hour|price))",
            on_iso_date,
        ),
        (
            rf"\b(?P<month>{MONTH})\.? (?:the )?(?P<day>{DAY})(?:st|nd|rd|th)?\b(?![:.]\d)(?:,? (?P<year>20\d\d))?",
            on_named_month,
        ),
        (
            rf"\b(?:the )?(?P<day>{DAY})(?:st|nd|rd|th)?(?: of)? (?P<month>{MONTH})\b(?:,? (?P<year>20\d\d))?",
            on_named_month,
        ),
        (r"\b(?:the|on) (?P<day>3[01]|[12]\d|[1-9])(?:st|nd|rd|th)\b", on_day_of_month),
        (r"\b(?P<day>3[01]|[12]\d|[1-9])(?:st|nd|rd|th) at\b", on_day_of_month),
        (
            rf"\b(?:in |after )?(?P<count>{NUMBER}) (?P<unit>days?|weeks?) (?:from (?:now|today|tomorrow)|time)\b",
            after_days,
        ),
        (rf"\bin (?P<count>{NUMBER})(?: of)? (?P<unit>days?|weeks?)\b", after_days),
        (r"\b(?P<word>day after tomorrow|tomorrow|today|tonight)\b", on_relative_day),
        (rf"\bweek (?:on|from) (?P<weekday>{WEEKDAY})\b", week_after),
        (rf"\b(?P<weekday>{WEEKDAY}) (?:next week|week)\b", in_next_week),
        (rf"\bnext week(?: on)?,? (?P<weekday>{WEEKDAY})\b", in_next_week),
        (rf"\b(?:next|following) (?P<weekday>{WEEKDAY})\b", in_next_week),
        (rf"\b(?:this|coming|this coming) (?P<weekday>{WEEKDAY})\b", on_this_weekday),
        # "I sat on my glasses" is not about Saturday.
        (
            rf"(?<!i )(?<!he )(?<!we )(?<!they )\b(?P<weekday>{WEEKDAY})s?\b(?! on (?:my|the|a))",
            on_weekday,
        ),
        (NEXT_WEEK, no_day_yet),
    )
)


def find_day(words: str, today: date) -> tuple[Said | None, date | None]:
    for pattern, meaning in DAY_RULES:
        if said := pattern.search(words):
            return said, meaning(said, today)
    return None, None


def next_date(today: date, month: int, day: int, year: str | None) -> date | None:
    """That date in the year it names, or the next time it comes round."""
    if year:
        return as_date(int(year) + 2000 * (len(year) == 2), month, day)
    days = (as_date(today.year + years, month, day) for years in range(5))  # 29 February waits for a leap year
    return next((found for found in days if found and found >= today), None)


def as_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def ahead(today: date, weekday: str, *, skip_today: bool) -> date:
    return today + timedelta((WEEKDAYS[weekday] - today.weekday() - skip_today) % 7 + skip_today)


@dataclass(frozen=True, kw_only=True, slots=True)
class Halves:
    """What helps to tell whether a bare 6 is in the morning or in the evening."""

    hours: Hours
    part: str | None
    near: time | None

    def choose(self, hour: int, minute: int) -> time:
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
NOT_A_COUNT = rf"(?!\s?(?::\d|/|st|nd|rd|th|%|{COUNTED}))(?! \w+ (?:st|street|ave|avenue|rd|road|dr|blvd|lane)\b)"

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
    )
)
# "tomorrow 3", "tue 9": a number right after the day.
AFTER_DAY = re.compile(rf"^\W*(?P<hour>1[0-2]|[1-9])\b{NOT_A_COUNT}")


def find_clock(words: str, day: Said | None, now: datetime, halves: Halves) -> tuple[time | datetime | None, bool]:
    rest = without_day(words, day)
    for pattern, meaning, names_half in CLOCK_RULES:
        if said := pattern.search(rest):
            return meaning(said, now, halves), names_half or halves.part is not None
    if day and (said := AFTER_DAY.match(words[day.end() :])):
        return at_bare_hour(said, now, halves), halves.part is not None
    return None, False


NUMBERED_DAY = rf"\b(?:the )?{DAY}(?:st|nd|rd|th)\b"
SECOND_DAY = re.compile(rf"{NUMBERED_DAY}|\b(?:{MONTH})\b\.? \d{{1,2}}(?:st|nd|rd|th)?\b|\b(?:{WEEKDAY})s?\b")


def without_day(words: str, day: Said | None) -> str:
    """The words less the day, and less the same day said a second way: "Tuesday, November 24"."""
    if day is None:
        return words
    rest = words[: day.start()] + " ," + words[day.end() :]
    second = (re.compile(NUMBERED_DAY) if day.re is DAY_RULES[-2][0] else SECOND_DAY).search(rest)
    return rest[: second.start()] + " ," + rest[second.end() :] if second else rest
