"""Appointments as iCalendar events."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from icalendar import Calendar, Event
from icalendar.enums import STATUS, TRANSP
from sqlalchemy import Row


def calendar(rows: Sequence[Row[Any]], name: str, *, is_for_staff: bool) -> bytes:
    """One event an appointment, cancelled ones too: a calendar that has it must learn that it is off."""
    made = Calendar.new(name=name, prodid="-//Replyline//Appointments//EN", refresh_interval=timedelta(minutes=15))
    made.add("method", "PUBLISH")
    for row in rows:
        made.add_component(event(row, name, is_for_staff=is_for_staff))
    as_bytes: bytes = made.to_ical()
    return as_bytes


def event(row: Row[Any], business: str, *, is_for_staff: bool) -> Event:
    who = f"{row.name} ({row.phone})" if row.name else row.phone
    return Event.new(
        uid=f"{row.id}@replyline",
        sequence=row.sequence,
        stamp=row.changed_at,
        created=row.created_at,
        last_modified=row.changed_at,
        start=row.starts_at,
        end=row.ends_at,
        summary=f"{row.service}: {who}" if is_for_staff else f"{row.service} at {business}",
        description=row.notes or None,
        status=STATUS.CONFIRMED if row.state == "booked" else STATUS.CANCELLED,
        transparency=TRANSP.OPAQUE if row.state == "booked" else TRANSP.TRANSPARENT,
    )
