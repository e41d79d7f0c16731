"""The holidays of a calendar: a country's, or a state's beside the federal ones. From the `holidays` library."""

from datetime import date
from functools import cache

# Days that a state bars and the library does not list: Louisiana's All Saints (us_state_quiet_hours.csv, row LA).
ALSO = {"US-LA": ((11, 1),)}


def is_holiday(calendar: str, day: date) -> bool:
    """Whether a day, or the day it is observed on, is a holiday in a calendar such as `US`, `US-LA` or `FR`."""
    return day in days_of(calendar, day.year)


@cache
def days_of(calendar: str, year: int) -> frozenset[date]:
    import holidays  # 85 ms, and most texts never ask

    country, _, state = calendar.partition("-")
    also = (date(year, month, day) for month, day in ALSO.get(calendar, ()))
    return frozenset(holidays.country_holidays(country, subdiv=state or None, years=year)).union(also)
