"""A line that is written wrongly says what to change, in one sentence, when it is loaded."""

from datetime import date

import pytest

from replyline.plugins.appointments import Appointments, BadAppointments, Service

OPEN = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), "09:00-17:00")
CUT = Service(name="haircut", minutes=30)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"services": []}, "needs at least one service"),
        ({"services": [CUT, Service(name="Haircut", minutes=60)]}, "the same name"),
        ({"slot_minutes": 7}, "multiple of 5"),
        ({"slot_minutes": 0}, "multiple of 5"),
        ({"book_ahead_days": 0}, "book_ahead_days is 0"),
        ({"notice_minutes": -5}, "write 0"),
        ({"opening_hours": {"monday": "09:00-17:00"}}, "says nothing of tuesday"),
        ({"opening_hours": OPEN | {"mon": "09:00-17:00"}}, "'mon', which is no day"),
        ({"opening_hours": OPEN | {"monday": "9 to 5"}}, "write '09:00-17:00'"),
        ({"opening_hours": OPEN | {"monday": "09:00-25:00"}}, "24-hour clock"),
        ({"opening_hours": OPEN | {"monday": "18:00-02:00"}}, "closes before it opens"),
        ({"opening_hours": OPEN | {"monday": "09:00-13:00, 12:00-17:00"}}, "without overlap"),
        ({"opening_hours": OPEN | {"monday": "09:03-17:00"}}, "multiple of 5"),
        ({"services": [Service(name="yoga", minutes=60, starts=["20:00"])]}, "never starts within"),
        ({"services": [Service(name="day trip", minutes=600)]}, "never starts within"),
        (
            {"services": [CUT, Service(name="shave", minutes=20, resource="haircut", capacity=2)]},
            "share 'haircut' but not its capacity",
        ),
    ],
)
def test_a_line_that_cannot_work_says_what_to_change(changed, sentence):
    with pytest.raises(BadAppointments, match=sentence):
        Appointments(**({"services": [CUT], "opening_hours": OPEN} | changed))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": " "}, "needs a name"),
        ({"minutes": 50.5}, "multiple of 5"),
        ({"minutes": 0}, "multiple of 5"),
        ({"capacity": 0}, "at least one person"),
        ({"starts": "18:00"}, "write a list"),
        ({"starts": ["6pm"]}, "24-hour clock"),
        ({"starts": ["18:03"]}, "multiple of 5"),
        ({"starts": {"someday": ["18:00"]}}, "no day"),
    ],
)
def test_a_service_that_cannot_work_says_what_to_change(given, sentence):
    with pytest.raises(BadAppointments, match=sentence):
        Service(**({"name": "yoga", "minutes": 60} | given))


def test_a_line_on_holiday_is_still_a_good_line():
    Appointments(services=[CUT], opening_hours=OPEN, closed_on=[date(2026, 12, n) for n in range(1, 32)])
