"""When what may begin. Pure: it knows the week and the clocks, not who has booked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from replyline.plugins.appointments.opening_hours import BadAppointments, OpeningHours, is_skipped, moment
from replyline.plugins.appointments.service import CELL_MINUTES, Service
from replyline.plugins.appointments.wording import day_said, said, time_said

CELL = timedelta(minutes=CELL_MINUTES)


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """The services, the week they happen in, and how soon and how late they may be booked."""

    services: Mapping[str, Service]  # by name in small letters
    hours: OpeningHours
    slot_minutes: int
    book_ahead_days: int
    notice_minutes: int

    def starts_on(self, day: date, service: Service, zone: ZoneInfo) -> list[datetime]:
        """Every moment of a local day at which the service may begin and end within the opening hours, in UTC."""
        minutes = [minute for minute in self._minutes_on(day, service) if not is_skipped(day, minute, zone)]
        starts = [moment(day, minute, zone) for minute in minutes]
        return [start for start in starts if self.is_open_for(service, start, zone)]

    def may_start(self, service: Service, starts: datetime, zone: ZoneInfo) -> bool:
        """Whether this is one of the moments of `starts_on`."""
        local = starts.astimezone(zone)
        day, minute = local.date(), local.hour * 60 + local.minute
        return (
            minute in self._minutes_on(day, service)
            and moment(day, minute, zone) == starts  # on the minute, and the first of two when clocks go back
            and self.is_open_for(service, starts, zone)
        )

    def is_open_for(self, service: Service, starts: datetime, zone: ZoneInfo) -> bool:
        return self.hours.covers(starts, starts + timedelta(minutes=service.minutes), zone)

    def _minutes_on(self, day: date, service: Service) -> Sequence[int]:
        if service.weekly_starts is not None:
            return () if day in self.hours.closed_on else service.weekly_starts[day.weekday()]
        return [
            minute for opens, closes in self.hours.spans_on(day) for minute in range(opens, closes, self.slot_minutes)
        ]

    def starts_around(
        self, wanted: datetime, reach: int, service: Service, now: datetime, zone: ZoneInfo
    ) -> Iterator[list[datetime]]:
        """The starts that may be booked on the days around a moment: first on the nearest three, then ever further."""
        first, last = self.first(now), self.last(now)
        middle = min(max(wanted, first), last).astimezone(zone).date()
        for offsets in [(-1, 0, 1), *((-n, n) for n in range(2, reach + 1))]:
            days = [middle + timedelta(days=offset) for offset in offsets]
            yield [start for day in days for start in self.starts_on(day, service, zone) if first <= start <= last]

    def first(self, now: datetime) -> datetime:
        return (now + timedelta(minutes=self.notice_minutes)).astimezone(UTC)

    def last(self, now: datetime) -> datetime:
        return (now + timedelta(days=self.book_ahead_days)).astimezone(UTC)

    def objection(self, service: Service, starts: datetime, now: datetime, zone: ZoneInfo) -> str | None:
        """Why the service cannot begin then, whoever has booked; none when it can."""
        if starts <= now:
            return f"{said(starts, zone)} is in the past; it is now {said(now, zone)}."
        if starts < self.first(now):
            return f"We need {self.notice_minutes} minutes' notice; the earliest is {said(self.first(now), zone)}."
        if starts > self.last(now):
            return f"We book at most {self.book_ahead_days} days ahead, until {said(self.last(now), zone)}."
        day = starts.astimezone(zone).date()
        if self.may_start(service, starts, zone):
            return None
        if not self.hours.spans_on(day):
            return f"We are closed on {day_said(day)}."
        if not self.is_open_for(service, starts, zone):
            return (
                f"{service.name} takes {service.minutes} minutes and has to be within the opening hours; "
                f"on {day_said(day)} they are {self.hours.on_day(day)}."
            )
        return f"{service.name} does not start at {time_said(starts.astimezone(zone))} on {day_said(day)}."


def make_timetable(
    services: Sequence[Service], hours: OpeningHours, *, slot_minutes: int, book_ahead_days: int, notice_minutes: int
) -> Timetable:
    """A timetable that makes sense. Raises `BadAppointments` with what to change."""
    if not services:
        raise BadAppointments("Appointments needs at least one service, such as Service(name='haircut', minutes=30).")
    if slot_minutes <= 0 or slot_minutes % CELL_MINUTES:
        raise BadAppointments(f"slot_minutes is {slot_minutes}; write a multiple of {CELL_MINUTES}, such as 15.")
    if book_ahead_days < 1:
        raise BadAppointments(f"book_ahead_days is {book_ahead_days}; people need at least one day to book for.")
    if notice_minutes < 0:
        raise BadAppointments(f"notice_minutes is {notice_minutes}; write 0 when people may book for right now.")
    odd = [m for day in hours.week for span in day for m in span if m % CELL_MINUTES]
    if odd:
        raise BadAppointments(f"opening_hours has a time that is not a multiple of {CELL_MINUTES} minutes; change it.")
    timetable = Timetable(
        services={service.name.lower(): service for service in services},
        hours=hours,
        slot_minutes=slot_minutes,
        book_ahead_days=book_ahead_days,
        notice_minutes=notice_minutes,
    )
    if len(timetable.services) != len(services):
        raise BadAppointments("Two services have the same name; give each its own.")
    seats: dict[str, Service] = {}
    for service in services:
        other = seats.setdefault(service.resource, service)
        if other.capacity != service.capacity:
            raise BadAppointments(
                f"{other.name} and {service.name} share {service.resource!r} but not its capacity; make them the same."
            )
        if not ever_starts(timetable, service):
            raise BadAppointments(
                f"{service.name} never starts within the opening hours; change its starts or minutes."
            )
    return timetable


def ever_starts(timetable: Timetable, service: Service) -> bool:
    utc = ZoneInfo("UTC")
    # A week far from the closed days: a line that is on holiday is still a good line.
    monday = max(timetable.hours.closed_on, default=date(2024, 1, 1)) + timedelta(days=1)
    return any(timetable.starts_on(monday + timedelta(days=n), service, utc) for n in range(7))
