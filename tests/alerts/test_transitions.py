"""When people are told, as a table of looks."""

from datetime import timedelta

import pytest

from replyline.alerts.level import Level
from replyline.alerts.transitions import Event, seen
from tests.support.cast import MONDAY

OK, LOOK, WRONG = Level.OK, Level.LOOK, Level.WRONG
BEGAN, WORSE, STILL, ENDED = Event.BEGAN, Event.WORSE, Event.STILL, Event.ENDED


def told(looks):
    """What is told when a look at each of these minutes finds this."""
    alert, events = None, []
    for minute, level in looks:
        at = MONDAY + timedelta(minutes=minute)
        alert, event = seen(alert, "model", level, "The model is away.", at, is_watched=True)
        if event is not None:
            events.append((minute, event))
    return events


@pytest.mark.parametrize(
    ("looks", "events"),
    [
        ([(0, OK), (1, OK)], []),
        ([(0, LOOK), (1, LOOK), (2, LOOK)], [(0, BEGAN)]),
        ([(0, LOOK), (1, WRONG), (2, WRONG)], [(0, BEGAN), (1, WORSE)]),
        ([(0, WRONG), (1, LOOK), (2, WRONG), (3, LOOK)], [(0, BEGAN)]),
        ([(0, LOOK), (1, OK), (9, OK)], [(0, BEGAN)]),
        ([(0, LOOK), (1, OK), (10, OK), (11, OK)], [(0, BEGAN), (10, ENDED)]),
        ([(0, LOOK), (5, OK), (9, LOOK), (14, OK), (18, LOOK), (23, OK), (28, OK)], [(0, BEGAN), (28, ENDED)]),
        ([(0, LOOK), (20, OK), (21, LOOK)], [(0, BEGAN), (20, ENDED), (21, BEGAN)]),
        ([(minute, LOOK) for minute in range(0, 3000, 10)], [(0, BEGAN), (1440, STILL), (2880, STILL)]),
        ([(0, LOOK), (1000, LOOK), (1001, WRONG), (1440, WRONG), (2441, WRONG)], [(0, BEGAN), (1001, WORSE), (2441, STILL)]),
    ],
)  # fmt: skip
def test_people_are_told_of_transitions_and_not_of_states(looks, events):
    assert told(looks) == events


@pytest.mark.parametrize("every", range(2, 10))
def test_what_flaps_faster_than_the_calm_is_told_once(every):
    looks = [(minute, LOOK if minute // every % 2 == 0 else OK) for minute in range(600)]
    assert told(looks) == [(0, BEGAN)]
