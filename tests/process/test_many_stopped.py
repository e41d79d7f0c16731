"""A worker that is stopped and goes on after others have taken over changes nothing: no second text, no second effect."""

import asyncio
import signal
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select

from replyline.db.tables import texts
from tests.process.test_stop import all_is_done
from tests.support.databases import only_on_postgres
from tests.support.processes import WORDS, events, until
from tests.support.relays import PostgresWire

# A lease is 30 s, and nothing here can make it shorter: the processes are the real ones.
pytestmark = [pytest.mark.process, pytest.mark.long, pytest.mark.timeout(300), only_on_postgres]


@pytest.fixture(autouse=True)
def quickly(business, launcher):
    business.launcher = launcher


ANSWER = WORDS.format(7)
TAKEN_OVER = 90.0  # seconds: the lease's 30, a poll, and what a busy machine takes


async def test_stopped_inside_an_action(business, db):
    await business.serve("--no-worker")
    stopped = await business.work()
    business.hold("before")
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.calls == ["begin 7"])
    stopped.tell(signal.SIGSTOP)
    await business.work()
    await until(lambda: business.calls == ["begin 7", "begin 7"], TAKEN_OVER)
    business.let_go("before")
    await business.phone().wait_for(1, timeout=30)
    stopped.tell(signal.SIGCONT)
    await until(lambda: events([stopped], "lease_lost"))
    await all_is_done(db)
    await asyncio.sleep(2)
    assert business.phone().screen == business.sent == [ANSWER]
    assert business.bookings == [7]
    assert business.brain.asked == {("first", 7): 1, ("second", 7): 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["stopped", "cut off"])
async def test_between_a_claim_and_its_request(business, db, database_url, when, how):
    """The transaction that marks the text as SENDING commits while its process is stopped, or cut off from the database."""
    await business.serve("--no-worker")
    async with PostgresWire(database_url) as wire:
        with using(business, wire.url):
            first = await business.work()
        wire.hold(b"sending", when)
        await business.phone().text("Hi, I am guest 7.")
        await until(lambda: wire.is_held)
        if how == "stopped":
            first.tell(signal.SIGSTOP)
            wire.let_go()
        await business.work()
        await business.phone().wait_for(1, timeout=TAKEN_OVER)
        wire.let_go()
        first.tell(signal.SIGCONT)
        await until(lambda: events([first], "lease_lost") or events([first], "claim_failed"))
        await all_is_done(db)
        await asyncio.sleep(5)
        assert business.phone().screen == business.sent == [ANSWER]
        assert (
            await db.run(lambda conn: conn.execute(select(func.count()).where(texts.c.is_inbound.is_(False))).scalar())
            == 1
        )
        first.tell()
        await first.end(within=40)


@contextmanager
def using(business, database_url):
    """Let processes that are started now reach the database another way."""
    usual = business.environment["REPLYLINE_DATABASE_URL"]
    business.environment["REPLYLINE_DATABASE_URL"] = database_url
    yield
    business.environment["REPLYLINE_DATABASE_URL"] = usual
