"""When a business is open, on the clocks of its own wall."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from replyline.errors import ReplylineError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SPAN = re.compile(r"(\d{1,2}:\d\d)\s*[-–]\s*(\d{1,2}:\d\d)")

# Minutes after midnight, from and until.
Span = tuple[int, int]


class BadAppointments(ReplylineError):
    """The services or opening hours cannot be used as they are written, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningHours:
    """A week of opening hours, in local wall time, and the days without any."""

    week: tuple[tuple[Span, ...], ...]  # from Monday
    closed_on: frozenset[date] = frozenset()

    def spans_on(self, day: date) -> tuple[Span, ...]:
        return () if day in self.closed_on else self.week[day.weekday()]

    def covers(self, starts: datetime, ends: datetime, zone: ZoneInfo) -> bool:
        """Whether the doors stay open from start to end, over midnight too when the hours go on there."""
        open_until = starts
        day, last = starts.astimezone(zone).date(), ends.astimezone(zone).date()
        while day <= last:
            for opens, closes in self.spans_on(day):
                if moment(day, opens, zone) <= open_until < moment(day, closes, zone):
                    open_until = moment(day, closes, zone)
            day += timedelta(days=1)
        return open_until >= ends

    def on_day(self, day: date) -> str:
        """The hours of one day as people write them: `06:00-21:00`, or `closed`."""
        return ", ".join(f"{clock(opens)}-{clock(closes)}" for opens, closes in self.spans_on(day)) or "closed"

    def as_written(self) -> dict[str, str]:
        """The hours by day, as in the line file."""
        spans = (", ".join(f"{clock(opens)}-{clock(closes)}" for opens, closes in day) for day in self.week)
        return {day: text or "closed" for day, text in zip(DAYS, spans, strict=True)}


def read_hours(written: Mapping[str, str], closed_on: Iterable[date] = ()) -> OpeningHours:
    """Opening hours as people write them. Raises `BadAppointments` with what to change."""
    unknown = [day for day in written if day.lower() not in DAYS]
    if unknown:
        raise BadAppointments(f"opening_hours has {unknown[0]!r}, which is no day of the week; write monday to sunday.")
    by_day = {day.lower(): text for day, text in written.items()}
    missing = [day for day in DAYS if day not in by_day]
    if missing:
        raise BadAppointments(
            f"opening_hours says nothing of {missing[0]}; give every day, such as '09:00-17:00' or 'closed'."
        )
    return OpeningHours(week=tuple(read_day(day, by_day[day]) for day in DAYS), closed_on=frozenset(closed_on))


def read_day(day: str, text: str) -> tuple[Span, ...]:
    if text.strip().lower() == "closed":
        return ()
    spans = []
    for part in text.split(","):
        match = SPAN.fullmatch(part.strip())
        if match is None:
            raise BadAppointments(
                f"opening_hours[{day!r}] is {text!r}; write '09:00-17:00', '09:00-12:00, 14:00-18:00' or 'closed'."
            )
        spans.append((read_clock(match[1]), read_clock(match[2])))
    before = 0
    for opens, closes in spans:
        if closes <= opens:
            raise BadAppointments(
                f"opening_hours[{day!r}] closes before it opens; "
                f"write hours past midnight as '18:00-24:00' and, on the next day, '00:00-02:00'."
            )
        if opens < before:
            raise BadAppointments(f"opening_hours[{day!r}] is {text!r}; write its parts in order and without overlap.")
        before = closes
    return tuple(spans)


def read_clock(text: str) -> int:
    """Minutes after midnight of `18:30`; `24:00` is the end of the day."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d)", text)
    if match is None or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise BadAppointments(f"{text!r} is not a time of day; write it on the 24-hour clock, such as '18:30'.")
    return int(match[1]) * 60 + int(match[2])


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The first moment the clocks show this time on this day, in UTC.

    A time the clocks skip becomes the moment they would have shown it, an hour later on the new clock.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def is_skipped(day: date, minutes: int, zone: ZoneInfo) -> bool:
    """Whether the clocks go forward over this time on this day."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return moment(day, minutes, zone).astimezone(zone).replace(tzinfo=None) != wall
