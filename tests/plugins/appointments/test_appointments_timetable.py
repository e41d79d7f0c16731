"""When things may begin, on ordinary days and on the days the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from replyline.plugins.appointments import Service
from replyline.plugins.appointments.opening_hours import DAYS, read_hours
from replyline.plugins.appointments.timetable import Timetable, make_timetable

LA = ZoneInfo("America/Los_Angeles")
SPRING = date(2026, 3, 8)  # 02:00 becomes 03:00: a day of 23 hours
AUTUMN = date(2026, 11, 1)  # 02:00 becomes 01:00: a day of 25 hours
VISIT = Service(name="visit", minutes=60)


def week(hours: str, *, closed_on=(), slot=60, service=VISIT) -> Timetable:
    return make_timetable(
        [service],
        read_hours(dict.fromkeys(DAYS, hours), closed_on),
        slot_minutes=slot,
        book_ahead_days=60,
        notice_minutes=0,
    )


def starts(timetable: Timetable, day: date, zone: ZoneInfo = LA) -> list[str]:
    (service,) = timetable.services.values()
    return [f"{start.astimezone(zone):%H:%M%z}" for start in timetable.starts_on(day, service, zone)]


def test_people_may_begin_at_every_slot_that_ends_within_the_hours():
    assert starts(week("09:00-12:00", slot=30), date(2026, 6, 1)) == [
        "09:00-0700",
        "09:30-0700",
        "10:00-0700",
        "10:30-0700",
        "11:00-0700",
    ]


def test_the_slots_of_an_afternoon_count_from_its_own_beginning():
    assert starts(week("09:00-10:00, 14:30-16:30"), date(2026, 6, 1)) == ["09:00-0700", "14:30-0700", "15:30-0700"]


def test_nothing_begins_on_a_closed_day():
    assert starts(week("09:00-12:00", closed_on=[date(2026, 6, 1)]), date(2026, 6, 1)) == []


def test_a_class_begins_at_its_own_times_and_days():
    yoga = Service(name="yoga", minutes=60, starts={"Monday": ["18:00", "09:10"]})
    timetable = week("09:00-21:00", service=yoga)
    assert starts(timetable, date(2026, 6, 1)) == ["09:10-0700", "18:00-0700"]
    assert starts(timetable, date(2026, 6, 2)) == []


def test_a_visit_may_go_on_past_midnight_where_the_hours_do():
    assert starts(week("00:00-02:00, 22:00-24:00"), date(2026, 6, 1))[-1] == "23:00-0700"
    long = Service(name="visit", minutes=120)
    assert starts(week("00:00-02:00, 22:00-24:00", service=long), date(2026, 6, 1)) == [
        "00:00-0700",
        "22:00-0700",
        "23:00-0700",
    ]


@pytest.mark.parametrize("day", [SPRING, AUTUMN, date(2026, 6, 1)])
def test_the_doors_open_by_the_clock_on_the_wall_whatever_the_season(day):
    timetable = week("09:00-11:00")
    assert [text[:5] for text in starts(timetable, day)] == ["09:00", "10:00"]


def test_nothing_begins_in_the_hour_that_spring_skips():
    assert starts(week("00:00-05:00"), SPRING) == ["00:00-0800", "01:00-0800", "03:00-0700", "04:00-0700"]


def test_an_hour_is_an_hour_when_the_clocks_jump():
    """From 1:30 an hour of real time ends at 3:30 on the new clock, after these doors have closed."""
    assert starts(week("00:30-03:30"), SPRING) == ["00:30-0800", "01:30-0800"]
    assert starts(week("00:30-03:00"), SPRING) == ["00:30-0800"]


def test_the_hour_that_autumn_repeats_is_offered_once_and_the_first_time():
    assert starts(week("00:00-04:00"), AUTUMN) == ["00:00-0700", "01:00-0700", "02:00-0800", "03:00-0800"]


def test_the_long_night_has_room_for_an_hour_more():
    six = Service(name="visit", minutes=6 * 60)
    hours = dict.fromkeys(DAYS, "00:00-05:00") | {"monday": "00:00-06:00"}
    timetable = make_timetable([six], read_hours(hours), slot_minutes=60, book_ahead_days=60, notice_minutes=0)
    assert starts(timetable, AUTUMN) == ["00:00-0700"]
    assert starts(timetable, AUTUMN + timedelta(days=7)) == []


def test_a_day_without_closing_has_as_many_hours_as_the_clocks_give_it():
    timetable = week("00:00-24:00", slot=60, service=Service(name="visit", minutes=5))
    midnight = datetime(2026, 3, 8, tzinfo=LA).astimezone(UTC)
    assert len(starts(timetable, SPRING)) == 23
    assert timetable.hours.covers(midnight, midnight + timedelta(hours=47), LA)
    assert len(starts(timetable, AUTUMN)) == 24  # 25 hours, the repeated one counted once


@pytest.mark.parametrize(
    ("starts_at", "why"),
    [
        ("2026-06-01T11:59:00", "is in the past; it is now Monday 1 June at 12:00 PM (2026-06-01T12:00:00-07:00)"),
        ("2026-09-01T15:00:00", "at most 60 days ahead"),
        ("2026-06-07T15:00:00", "closed on Sunday 7 June"),
        ("2026-06-02T20:30:00", "on Tuesday 2 June they are 09:00-21:00"),
        ("2026-06-02T15:10:00", "does not start at 3:10 PM"),
        ("2026-06-02T15:00:00", None),
    ],
)
def test_every_refusal_says_what_stands_in_the_way(starts_at, why):
    timetable = week("09:00-21:00", closed_on=[date(2026, 6, 7)])
    (service,) = timetable.services.values()
    now = datetime(2026, 6, 1, 12, tzinfo=LA)
    objection = timetable.objection(service, datetime.fromisoformat(starts_at).replace(tzinfo=LA), now, LA)
    assert (why is None and objection is None) or why in objection


@pytest.mark.parametrize("day", [SPRING, AUTUMN, date(2026, 6, 1)])
def test_what_may_start_is_exactly_what_is_offered(day):
    timetable = week("00:00-02:30, 02:30-24:00", slot=30)
    (service,) = timetable.services.values()
    midnight = datetime(day.year, day.month, day.day, tzinfo=LA).astimezone(UTC)
    offered = timetable.starts_on(day, service, LA)
    every_minute = [midnight + timedelta(minutes=n) for n in range(26 * 60)]
    accepted = [at for at in every_minute if at.astimezone(LA).date() == day and timetable.may_start(service, at, LA)]
    assert accepted == offered
    assert not timetable.may_start(service, offered[0] + timedelta(seconds=1), LA)
