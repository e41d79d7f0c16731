"""Machines whose clocks differ by two minutes share one PostgreSQL, and nothing is taken over, let go or given up early."""

import asyncio
import contextlib
import shutil
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from replyline.app import wire
from replyline.conversations.store import find_or_start
from replyline.db.clock import DatabaseClock, now_of
from replyline.db.tables import texts, turns
from replyline.inbound.receive import receive
from replyline.llm.fixed import always
from replyline.outbound.queue import NewText, queue_text
from replyline.rules.facts import Purpose
from replyline.settings import read_settings
from tests.process.test_stop import all_is_done, phone_of
from tests.support.cast import ANA, GYM_NUMBER, a_line, an_arrival
from tests.support.clocks import SkewedClock
from tests.support.databases import only_on_postgres
from tests.support.processes import REPLYLINE, WORDS, a_twilio, events, has_printed, until

pytestmark = [pytest.mark.process, only_on_postgres]

SLOW, FAST = -60, 60
LONGER_THAN_A_LOOK = 1.2  # seconds in which a worker that thinks something is due would have begun it


@pytest.fixture
async def twilio():
    twilio = a_twilio()
    twilio.add_number(GYM_NUMBER)
    async with twilio.serving():
        yield twilio


@pytest.fixture
async def at_work(database_url, tmp_path, twilio):
    """Starts a process's worker on a machine that is so many seconds ahead."""
    settings = read_settings(
        {},
        None,
        twilio_account_sid=twilio.account_sid,
        twilio_auth_token=twilio.auth_token,
        twilio_api_url=twilio.url,
        public_url="http://127.0.0.1:9",
        database_url=database_url,
        media_dir=tmp_path,
    )
    async with contextlib.AsyncExitStack() as stack:

        async def start(ahead, *, delay=0.0):
            line = a_line(settle=0.05, holding_after=None)
            model = always("Hello.", delay=delay)
            app = wire(settings, line, model=model, clock=DatabaseClock(SkewedClock(ahead)))
            await stack.enter_async_context(app.running())
            return app

        yield start


async def rows(db, table):
    return await db.run(lambda conn: conn.execute(select(table)).all())


@pytest.mark.parametrize("ahead", [SLOW, FAST])
async def test_a_lease_is_not_taken_over(at_work, db, ahead):
    holder = await at_work(ahead, delay=2 * LONGER_THAN_A_LOOK)
    await holder.db.gather(receive, an_arrival("Hi", line=holder.line, at=holder.clock.now()))
    await until(lambda: len(holder.model.prompts) == 1)
    other = await at_work(-ahead)
    await all_is_done(db)
    assert (len(holder.model.prompts), other.model.prompts) == (1, [])
    assert [turn.runs for turn in await rows(db, turns)] == [1]


async def test_nothing_leaves_early_and_nothing_expires_early(at_work, db, twilio):
    await at_work(SLOW)
    await at_work(FAST)
    now = await asyncio.to_thread(now_of, db)
    soon = now + timedelta(seconds=30)
    await db.run(queue, "held", 4, now, not_before=soon)
    await db.run(queue, "brief", 12, now, expires_at=soon)
    await until(lambda: len(twilio.messages) >= 12)
    await asyncio.sleep(LONGER_THAN_A_LOOK)
    assert [message.body for message in twilio.messages] == ["brief"] * 12
    assert {row.status for row in await rows(db, texts) if row.body == "held"} == {"queued"}


def queue(conn, body, count, now, **times):
    """Have the gym say something so many times."""
    key = ("gym", ANA, GYM_NUMBER)
    conversation = find_or_start(conn, [key], now)[key]
    given = {"purpose": Purpose.CONVERSATIONAL_REPLY, "line": "gym", "phone": ANA, "our_address": GYM_NUMBER} | times
    for _ in range(count):
        queue_text(conn, NewText(conversation_id=conversation.id, body=body, **given), now)


@pytest.mark.skipif(not shutil.which("faketime"), reason="needs faketime")
async def test_real_processes_whose_clocks_differ_answer_everyone_once(business, db):
    await business.serve("--no-worker")
    business.brain.delay = LONGER_THAN_A_LOOK / 4
    business.environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"  # as setting a machine's clock does not
    for ahead in ("-60s", "+60s"):
        business.run("-f", ahead, str(REPLYLINE), "work", "line:line", program="faketime")
    workers = business.started[1:]
    await asyncio.gather(*(has_printed("Replyline works.", each, within=90) for each in workers))
    assert [round(each["ahead"]) for each in events(workers, "machine_clock_differs")] == [-60, 60]
    guests = range(20)
    await asyncio.gather(*(phone_of(business, n).text(f"Hi, I am guest {n}.") for n in guests))
    await asyncio.gather(*(phone_of(business, n).wait_for(1, timeout=40) for n in guests))
    await all_is_done(db)
    assert business.brain.asked == Counter({(which, n): 1 for which in ("first", "second") for n in guests})
    assert [phone_of(business, n).screen for n in guests] == [[WORDS.format(n)] for n in guests]
    assert sorted(business.bookings) == sorted(guests)
