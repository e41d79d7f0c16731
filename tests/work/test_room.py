"""How much is begun at once, by how late the event loop is."""

import asyncio
import time

import pytest

from replyline.work.room import AGAIN, FEWEST, FIRST, LATE, LESS, Pulse, Room


@pytest.fixture
def pulse():
    return Pulse()


def test_a_room_begins_with_a_few_places_and_grows_by_each_that_ends_in_time(pulse):
    room = Room(1000, pulse)
    assert room.free(0, now=0) == FIRST
    for _ in range(20):
        room.ended()
    assert room.free(10, now=0) == FIRST + 20 - 10


def test_a_room_never_holds_more_than_the_pool_has_places(pulse):
    room = Room(70, pulse)
    for _ in range(1000):
        room.ended()
    assert room.free(0, now=0) == 70


def test_nothing_is_begun_while_the_loop_is_late_but_never_less_than_one(pulse):
    room = Room(1000, pulse)
    pulse.late = 2 * LATE
    assert (room.free(5, now=0), room.free(0, now=0)) == (0, 1)


def test_a_room_shrinks_once_a_second_while_the_loop_is_late_and_grows_slowly_from_there(pulse):
    room = Room(1000, pulse)
    pulse.late = 2 * LATE
    for now in (0, AGAIN / 2, AGAIN):
        room.free(FIRST, now=now)
    pulse.late = 0
    shrunk = int(FIRST * LESS * LESS)
    assert room.free(0, now=AGAIN) == shrunk
    for _ in range(3):
        room.ended()
    assert room.free(0, now=AGAIN) == shrunk  # 12 / 36 each


def test_a_room_never_shrinks_below_the_fewest(pulse):
    room = Room(1000, pulse)
    pulse.late = 2 * LATE
    for now in range(20):
        room.free(1, now=now * AGAIN)
    pulse.late = 0
    assert room.free(0, now=20 * AGAIN) == FEWEST


async def test_the_pulse_tells_that_the_loop_was_held_up_and_forgets_it():
    pulse = Pulse()
    with pulse.beating():
        await asyncio.sleep(0.03)
        time.sleep(4 * LATE)  # noqa: ASYNC251 - what holds the loop up
        await asyncio.sleep(0.001)
        seen = pulse.late
        async with asyncio.timeout(5):
            while pulse.late > LATE:
                await asyncio.sleep(0.01)
    assert seen > LATE
