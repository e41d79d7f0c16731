"""SIGTERM: what runs is finished or handed back, and whoever goes on answers each person once."""

import asyncio
import re
import signal
import time
from collections import Counter

import pytest
from sqlalchemy import select

from replyline.db.tables import turns
from tests.support.cast import ANA
from tests.support.databases import only_on_postgres, only_on_sqlite
from tests.support.processes import WORDS, until
from tests.support.to_do import TO_DO

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

GUESTS = range(40)


async def test_a_server_told_to_stop_in_a_slow_turn_hands_it_back(business, db):
    server = await business.serve()
    business.brain.hold("first")
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.brain.thinking[7] == 1)
    begun = time.monotonic()
    server.tell()
    assert await server.end(within=20) == 0
    assert time.monotonic() - begun < 20
    (row,) = await db.run(lambda conn: conn.execute(TO_DO).all())
    assert row.owner is None
    business.brain.let_go("first")
    await business.serve()
    await business.phone().wait_for(1, timeout=20)
    await all_is_done(db)
    assert business.phone().screen == business.sent == [WORDS.format(7)]
    assert business.bookings == [7]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@only_on_sqlite
async def test_an_idle_server_stops_at_once(business, number):
    server = await business.serve("--no-worker")
    begun = time.monotonic()
    server.tell(number)
    assert await server.end(within=20) == 0
    assert time.monotonic() - begun < 5


@only_on_postgres
async def test_of_two_workers_one_may_leave_and_everyone_is_answered_once(business, db):
    """One worker gets SIGTERM while it holds a turn that takes long; the other ends it."""
    await business.serve("--no-worker")
    workers = [await business.work(), await business.work()]
    business.brain.delay = 0.2
    for guest in (3, 17):
        business.brain.hold(f"guest {guest}")
    texting = asyncio.gather(*(phone_of(business, n).text(f"Hi, I am guest {n}.") for n in GUESTS))
    await until(lambda: len(business.sent) >= 10)
    begun = time.monotonic()
    workers[0].tell()
    await texting
    assert await workers[0].end(within=20) == 0
    assert time.monotonic() - begun < 20
    for guest in (3, 17):
        business.brain.let_go(f"guest {guest}")
    await everyone_is_answered_once(business, db)


@only_on_sqlite
async def test_a_worker_beside_the_web_process_answers_everyone_once(business, db):
    await business.serve("--no-worker")
    worker = await business.work()
    await asyncio.gather(*(phone_of(business, n).text(f"Hi, I am guest {n}.") for n in GUESTS))
    await everyone_is_answered_once(business, db)
    worker.tell()
    assert await worker.end(within=20) == 0


def phone_of(business, guest):
    return business.phone(f"{ANA[:-2]}{guest:02}")


async def all_is_done(db):
    async with asyncio.timeout(30):
        while await db.run(lambda conn: conn.execute(TO_DO).all()):
            await asyncio.sleep(0.05)


async def everyone_is_answered_once(business, db):
    await asyncio.gather(*(phone_of(business, n).wait_for(1, timeout=40) for n in GUESTS))
    await all_is_done(db)
    for n in GUESTS:
        assert phone_of(business, n).screen == [WORDS.format(n)]
    assert sorted(business.bookings) == sorted(GUESTS)
    ended = await db.run(lambda conn: conn.execute(select(turns.c.conversation_id, turns.c.state)).all())
    assert Counter(row.state for row in ended) == {"done": len(GUESTS)}
    assert len({row.conversation_id for row in ended}) == len(GUESTS)
    assert not overlapping(business.calls)


def overlapping(calls):
    """The guests for whom an action began while another of theirs went on."""
    going, both = set(), set()
    for word, guest in (re.fullmatch(r"(begin|end) (\d+)", line).groups() for line in calls):
        if word == "end":
            going.discard(guest)
        elif guest in going:
            both.add(guest)
        else:
            going.add(guest)
    return both
