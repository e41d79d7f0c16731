import asyncio
from datetime import UTC, datetime

import pytest

from replyline.clock import Clock, FakeClock, SystemClock
from replyline.errors import ReplylineError


def test_a_fake_clock_is_set_in_the_words_of_a_place():
    clock = FakeClock()
    clock.set("2026-03-01 03:00 America/Chicago")
    assert clock.now() == datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_a_fake_clock_stands_still_until_it_is_moved():
    clock: Clock = FakeClock("2026-03-08 01:30 America/New_York")
    assert clock.now() == clock.now()
    clock.advance(hours=1, seconds=30)
    assert clock.now() == datetime(2026, 3, 8, 7, 30, 30, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2026, 3, 1))


async def test_a_sleeper_wakes_when_the_clock_gets_there():
    clock = FakeClock()
    sleeping = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    clock.advance(seconds=59)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(seconds=1)
    await asyncio.wait_for(sleeping, 1)


async def test_a_sleeper_that_gives_up_is_forgotten():
    clock = FakeClock()
    sleeping = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    clock.advance(days=1)


async def test_the_machines_clock_knows_its_zone_and_never_sleeps_backwards():
    clock = SystemClock()
    await clock.sleep(-5)
    assert clock.now().tzinfo is UTC


def test_an_error_without_a_text_says_what_its_docstring_says():
    class BudgetSpent(ReplylineError):
        """The day's budget is spent.

        More about it.
        """

    assert str(BudgetSpent()) == "The day's budget is spent."
    assert str(BudgetSpent("The budget of gym is spent.")) == "The budget of gym is spent."
