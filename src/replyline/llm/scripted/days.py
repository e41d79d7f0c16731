"""Which day a text names: "tmrw", "next tue", "the 24th", "in two weeks"."""

import re
from collections.abc import Callable
from datetime import date, timedelta

from replyline.llm.scripted.when_words import DAY, MONTH, MONTHS, NUMBER, WEEKDAY, WEEKDAYS, number

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
    return today + timedelta({"yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1}.get(said["word"], 2))


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


# "I sat on my glasses" is not about Saturday.
ON_WEEKDAY = re.compile(rf"(?<!i )(?<!he )(?<!we )(?<!they )\b(?P<weekday>{WEEKDAY})s?\b(?! on (?:my|the|a))")
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
        (r"\b(?P<word>day after tomorrow|tomorrow|today|tonight|yesterday)\b", on_relative_day),
        (rf"\bweek (?:on|from) (?P<weekday>{WEEKDAY})\b", week_after),
        (rf"\b(?P<weekday>{WEEKDAY}) (?:next week|week)\b", in_next_week),
        (rf"\bnext week(?: on)?,? (?P<weekday>{WEEKDAY})\b", in_next_week),
        (rf"\b(?:next|following) (?P<weekday>{WEEKDAY})\b", in_next_week),
        (rf"\b(?:this|coming|this coming) (?P<weekday>{WEEKDAY})\b", on_this_weekday),
        (ON_WEEKDAY, on_weekday),
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


NUMBERED_DAY = rf"\b(?:the )?{DAY}(?:st|nd|rd|th)\b"
SECOND_DAY = re.compile(rf"{NUMBERED_DAY}|\b(?:{MONTH})\b\.? \d{{1,2}}(?:st|nd|rd|th)?\b|\b(?:{WEEKDAY})s?\b")


def without_day(words: str, day: Said | None) -> str:
    """The words less the day, and less the same day said a second way: "Tuesday, November 24"."""
    if day is None:
        return words
    rest = words[: day.start()] + " ," + words[day.end() :]
    second = (re.compile(NUMBERED_DAY) if day.re is ON_WEEKDAY else SECOND_DAY).search(rest)
    return rest[: second.start()] + " ," + rest[second.end() :] if second else rest
