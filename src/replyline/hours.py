"""Hours of the day and how many texts in how many hours, as records and as people write them."""

import re
from dataclasses import dataclass
from datetime import date, time, timedelta

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = frozenset(range(7))
LONGEST_CAP = timedelta(days=31)  # no cap that we know of looks further back
CAP = re.compile(r"(\d+) per (\d+) ?h")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """When a rule lets texts arrive: local times from `start` up to, not including, `end`."""

    start: time
    end: time
    days: frozenset[int] = EVERY_DAY  # 0 is Monday
    not_on: frozenset[str] = frozenset()  # calendars whose holidays are excluded: US, US-LA, FR
    since: date | None = None  # the rule is not in force before


@dataclass(frozen=True, kw_only=True, slots=True)
class Cap:
    """At most so many advertising texts to one person within a rolling window."""

    texts: int
    within: timedelta
    by: str  # who says so, for the operator: FL, VN, the line


def hours_in_words(written: str, days_excluded: str = "", calendar: str = "") -> tuple[Hours, ...]:
    """`09:00-20:00`, or groups of days: `Mon-Fri 08:00-20:00|Sat 09:00-13:00`. Raises `ValueError`."""
    return tuple(
        hours_of_group(group.strip(), days_excluded, calendar) for group in written.split("|") if group.strip()
    )


def hours_of_group(group: str, days_excluded: str, calendar: str) -> Hours:
    days, _, hours = group.rpartition(" ")
    start, _, end = hours.partition("-")
    return Hours(
        start=time.fromisoformat(start),
        end=time.fromisoformat(end),
        days=days_in(days or "all") - excluded(days_excluded),
        not_on=calendars(days_excluded, calendar),
    )


def days_in(written: str) -> frozenset[int]:
    """`all`, `Sat` or `Mon-Fri`."""
    if written == "all":
        return EVERY_DAY
    first, _, last = written.partition("-")
    return frozenset(range(DAYS.index(first), DAYS.index(last or first) + 1))


def excluded(days_excluded: str) -> frozenset[int]:
    return frozenset(DAYS.index(each) for each in days_excluded.split(";") if each in DAYS)


def calendars(days_excluded: str, calendar: str) -> frozenset[str]:
    """Whose holidays are excluded. A state bars its own and the federal ones."""
    if "holidays" not in days_excluded:
        return frozenset()
    return frozenset({calendar, calendar[:2]})


def cap_in_words(written: str, by: str) -> Cap:
    """`3 per 24h`, with or without words behind it. Raises `ValueError`."""
    found = CAP.match(written)
    if found is None:
        raise ValueError(f"{written!r} is not written like '3 per 24h'")
    cap = Cap(texts=int(found[1]), within=timedelta(hours=int(found[2])), by=by)
    if not cap.texts or not timedelta() < cap.within <= LONGEST_CAP:
        raise ValueError(
            f"{written!r} has to allow one text at least, within 1 to {LONGEST_CAP // timedelta(hours=1)} hours"
        )
    return cap
