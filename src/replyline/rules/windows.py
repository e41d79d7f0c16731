"""Hours during which several rules allow a text, in several places at once: a text leaves when all of them do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from replyline.hours import Hours
from replyline.rules.holidays import is_holiday

# Long enough for any run of Sundays and holidays; what finds no hour within it finds none at all.
LOOK_AHEAD = timedelta(days=15)
MIDNIGHT = time()

Interval = tuple[datetime, datetime]  # in UTC, from the first instant up to, not including, the second


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """Hours that hold in a zone. A text may leave while at least one of them is open."""

    zone: str
    hours: tuple[Hours, ...]
    by: str  # whose rule it is, for the operator: FED, FL, FR, the line


def is_open(demand: Demand, now: datetime) -> bool:
    """Whether this demand allows a text at an aware time."""
    local = now.astimezone(zone_of(demand.zone))
    in_force = hours_in_force(demand, local.date())
    if in_force is None:
        return True
    return any(is_on(hours, local.date()) and hours.start <= local.time() < hours.end for hours in in_force)


def next_open(open_to_all: Iterable[Interval], now: datetime) -> datetime | None:
    """The first instant from now on that lies in one of these; none when there is none within two weeks."""
    return next((max(start, now) for start, end in open_to_all if end > now and start < now + LOOK_AHEAD), None)


def intervals_from(demands: Iterable[Demand], day: date) -> tuple[Interval, ...]:
    """When all demands allow a text, as far as anybody looks ahead who asks on this day of UTC."""
    midnight = utc(day, MIDNIGHT, zone_of("UTC"))
    left: list[Interval] = [(midnight, midnight + timedelta(days=1) + LOOK_AHEAD)]
    for demand in demands:
        left = overlap(left, open_intervals(demand, midnight))
    return tuple(left)


def open_intervals(demand: Demand, midnight: datetime) -> list[Interval]:
    """When a demand allows a text, over the days to come, in order and without gaps of nothing between them."""
    zone = zone_of(demand.zone)
    first = midnight.astimezone(zone).date()
    intervals: list[Interval] = []
    for n in range(-1, LOOK_AHEAD.days + 3):
        day = first + timedelta(days=n)
        in_force = hours_in_force(demand, day)
        if in_force is None:
            intervals.append((utc(day, MIDNIGHT, zone), utc(day + timedelta(days=1), MIDNIGHT, zone)))
        else:
            intervals += sorted(
                (utc(day, hours.start, zone), utc(day, hours.end, zone)) for hours in in_force if is_on(hours, day)
            )
    return joined(intervals)


def hours_in_force(demand: Demand, day: date) -> Sequence[Hours] | None:
    """The demand's hours on a day; none when none of them is in force yet."""
    in_force = [hours for hours in demand.hours if hours.since is None or hours.since <= day]
    return in_force or None


def is_on(hours: Hours, day: date) -> bool:
    return day.weekday() in hours.days and not any(is_holiday(calendar, day) for calendar in hours.not_on)


def utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A local time in UTC. One that the clocks skip is taken as if they had not."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Those that touch or overlap made one."""
    found: list[Interval] = []
    for start, end in intervals:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def overlap(some: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    """What lies in both, each of them in order."""
    found, n, m = [], 0, 0
    while n < len(some) and m < len(others):
        start, end = max(some[n][0], others[m][0]), min(some[n][1], others[m][1])
        if start < end:
            found.append((start, end))
        if some[n][1] < others[m][1]:
            n += 1
        else:
            m += 1
    return found


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)
