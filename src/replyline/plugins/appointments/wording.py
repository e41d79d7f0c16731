"""How moments are said to the model: in words for the person, in ISO for the next call."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo


def said(when: datetime, zone: ZoneInfo) -> str:
    """`Tuesday 24 November at 6:00 PM (2026-11-24T18:00:00-08:00)`"""
    local = when.astimezone(zone)
    return f"{day_said(local.date())} at {time_said(local)} ({local.isoformat(timespec='seconds')})"


def day_said(day: date) -> str:
    """`Tuesday 24 November`"""
    return f"{day:%A} {day.day} {day:%B}"


def time_said(local: datetime) -> str:
    """`6:00 PM`"""
    return f"{(local.hour - 1) % 12 + 1}:{local:%M} {'AM' if local.hour < 12 else 'PM'}"


def listed(parts: Iterable[str]) -> str:
    """`one, two or three`"""
    *most, last = parts
    return f"{', '.join(most)} or {last}" if most else last
