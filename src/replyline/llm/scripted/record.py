"""The contact's record as the scripted model reads it. Any part of it may be missing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Opening = tuple[tuple[time, time], ...]  # from, until; none at all: closed


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    name: str
    minutes: int | None
    price: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Appointment:
    id: str
    service: str
    starts_at: datetime  # local, without an offset


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the business and the contact's record say."""

    now: datetime  # aware, in the business's zone
    business: str
    name: str | None
    address: str | None
    services: tuple[Service, ...]
    opening: Mapping[str, Opening] | None  # by weekday; none when the hours are not known
    appointments: tuple[Appointment, ...]

    @property
    def hours(self) -> tuple[float, float]:
        """The earliest and the latest hour of the week."""
        ranges = [hours for day in (self.opening or {}).values() for hours in day]
        if not ranges:
            return (9, 17)
        return min(as_hour(opens) for opens, _ in ranges), max(as_hour(closes) for _, closes in ranges)

    def opening_on(self, day: date) -> Opening | None:
        return None if self.opening is None else self.opening.get(WEEK[day.weekday()], ())

    def is_open(self, at: datetime) -> bool:
        opening = self.opening_on(at.date())
        return opening is None or any(opens <= at.time() < closes for opens, closes in opening)

    def services_in(self, text: str) -> tuple[Service, ...]:
        return services_in(text, self.services)


def services_in(text: str, services: Sequence[Service]) -> tuple[Service, ...]:
    """The services that a text names."""
    words = text.lower()
    return tuple(each for each in services if re.search(rf"\b{re.escape(each.name.lower())}", words))


def read_record(record: Mapping[str, Any]) -> Facts:
    zone = zone_of(record.get("timezone"))
    now = datetime.fromisoformat(record["now"]) if record.get("now") else datetime.now(UTC)
    return Facts(
        now=now.astimezone(zone) if now.tzinfo else now.replace(tzinfo=zone),
        business=record.get("business") or "",
        name=record.get("name"),
        address=record.get("address"),
        services=tuple(as_service(each) for each in record.get("services") or ()),
        opening=as_opening(record.get("opening_hours")),
        appointments=as_appointments(record.get("appointments") or (), zone),
    )


def zone_of(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def as_service(service: Any) -> Service:
    if isinstance(service, str):
        return Service(name=service, minutes=None, price=None)
    return Service(name=service["name"], minutes=service.get("minutes"), price=service.get("price"))


def as_opening(hours: Mapping[str, str] | None) -> Mapping[str, Opening] | None:
    if not hours:
        return None
    return {day.lower(): as_ranges(text) for day, text in hours.items()}


def as_ranges(text: str) -> Opening:
    """ "06:00-12:00, 13:00-21:00" as times; "closed" is none."""
    found = re.findall(r"(\d{1,2}):(\d\d)\s*[-\u2013]\s*(\d{1,2}):(\d\d)", text or "")
    return tuple((as_time(h1, m1), as_time(h2, m2)) for h1, m1, h2, m2 in found)


def as_time(hour: str, minute: str) -> time:
    return time(int(hour), int(minute)) if int(hour) < 24 else time.max  # "24:00" is when the day ends


def as_hour(clock: time) -> float:
    return clock.hour + clock.minute / 60


def as_appointments(records: Sequence[Mapping[str, Any]], zone: tzinfo) -> tuple[Appointment, ...]:
    found = [
        Appointment(id=str(each["id"]), service=str(each["service"]), starts_at=as_local(each["starts_at"], zone))
        for each in records
    ]
    return tuple(sorted(found, key=lambda each: each.starts_at))


def as_local(moment: str, zone: tzinfo) -> datetime:
    parsed = datetime.fromisoformat(moment)
    return (parsed.astimezone(zone) if parsed.tzinfo else parsed).replace(tzinfo=None)
