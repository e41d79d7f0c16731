"""A second reading of the files of rules, as plain and slow as can be, to hold the quick one against."""

import csv
from datetime import time
from importlib.resources import files
from zoneinfo import ZoneInfo

import holidays

ROWS = {
    name: list(csv.DictReader(files("replyline.rules").joinpath("data", name).read_text(encoding="utf-8").splitlines()))
    for name in ("us_state_quiet_hours.csv", "countries.csv", "area_codes.csv", "zip_codes.csv")
}
NAMES = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def closes(state, zone, at):
    """Whether the table of a state closes this instant, read row by row."""
    here = at.astimezone(ZoneInfo(zone))
    rows = [row for row in ROWS["us_state_quiet_hours.csv"] if row["state"] == state]
    rows = [row for row in rows if not row["effective_date"] or row["effective_date"][:10] <= here.date().isoformat()]
    return bool(rows) and not any(opens(row, here, f"US-{state}") for row in rows)


def opens(row, here, calendar):
    span = row["applies_to"].split(";")[0].split("=")[1]
    first, _, last = span.partition("-")
    days = NAMES if span == "all" else NAMES[NAMES.index(first) : NAMES.index(last or first) + 1]
    if NAMES[here.weekday()] not in days or NAMES[here.weekday()] in row["days_excluded"].split(";"):
        return False
    if "holidays" in row["days_excluded"] and is_barred(calendar, here.date()):
        return False
    return time.fromisoformat(row["start"]) <= here.time() < time.fromisoformat(row["end"])


def is_barred(calendar, day):
    country, _, state = calendar.partition("-")
    found = holidays.country_holidays(country, years=day.year)
    own = holidays.country_holidays(country, subdiv=state, years=day.year) if state else ()
    return day in found or day in own or (calendar == "US-LA" and (day.month, day.day) == (11, 1))


def is_within(group, here):
    days, _, hours = group.rpartition(" ")
    first, _, last = days.partition("-")
    start, _, end = hours.partition("-")
    on = not days or NAMES[here.weekday()] in NAMES[NAMES.index(first) : NAMES.index(last or first) + 1]
    return on and time.fromisoformat(start) <= here.time() < time.fromisoformat(end)
