"""kill -9 at the worst moments. Started again, the person gets one answer, and the class is booked once."""

import asyncio
import time

import pytest
from sqlalchemy import select

from replyline.db.tables import texts, work
from replyline.simulator import SILENT_AFTER_ACCEPTING, Kind
from tests.support.cast import ANA
from tests.support.processes import WORDS, until

pytestmark = pytest.mark.process

ANSWER = WORDS.format(7)


@pytest.fixture
def ledger(db):
    return Ledger(db)


class Ledger:
    """What the database says, whoever serves it."""

    def __init__(self, db):
        self.db = db

    async def rows(self, statement):
        return await self.db.run(lambda conn: conn.execute(statement).all())

    async def nothing_left_to_do(self):
        """Once no work is left, nobody can be texted any more."""
        async with asyncio.timeout(30):
            while await self.rows(select(work.c.key)):
                await asyncio.sleep(0.05)

    async def statuses(self):
        return [row.status for row in await self.rows(select(texts.c.status).where(~texts.c.is_inbound))]


async def answered_once(business, ledger, record_property):
    """Start again, and see that all ends well. Gives the seconds from the start to the answer."""
    begun = time.monotonic()
    await business.serve()
    ready = time.monotonic()
    await business.phone().wait_for(1, timeout=20)
    took = time.monotonic() - begun
    record_property("restart_to_answer", f"{took:.2f} s, {took - (ready - begun):.2f} s after ready")
    await ledger.nothing_left_to_do()
    await asyncio.sleep(0.3)
    assert business.phone().screen == business.sent == [ANSWER]
    assert business.bookings == [7]
    return took - (ready - begun)


async def test_killed_while_the_model_thinks(business, ledger, record_property):
    server = await business.serve()
    business.brain.hold("first")
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.brain.thinking[7] == 1)
    server.kill()
    business.brain.let_go("first")
    assert await answered_once(business, ledger, record_property) < 5
    assert business.brain.asked == {("first", 7): 2, ("second", 7): 1}


async def test_killed_inside_the_action_before_and_after_it_takes_effect(business, ledger, record_property):
    server = await business.serve()
    business.hold("before")
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.calls == ["begin 7"])
    server.kill()
    business.hold("after")
    business.let_go("before")
    server = await business.serve()
    await until(lambda: business.bookings == [7])
    server.kill()
    business.let_go("after")
    assert await answered_once(business, ledger, record_property) < 5
    assert business.calls == ["begin 7", "begin 7", "begin 7", "end 7"]
    assert business.brain.asked == {("first", 7): 1, ("second", 7): 1}


async def test_killed_between_the_action_and_the_second_answer(business, ledger, record_property):
    server = await business.serve()
    business.brain.hold("second")
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.brain.asked["second", 7] == 1)
    server.kill()
    business.brain.let_go("second")
    assert await answered_once(business, ledger, record_property) < 5
    assert business.calls == ["begin 7", "end 7"]
    assert business.brain.asked == {("first", 7): 1, ("second", 7): 2}


async def test_killed_while_twilio_takes_the_answer(business, ledger, record_property):
    server = await business.serve()
    business.twilio.faults.next_creates(SILENT_AFTER_ACCEPTING)
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.sent == [ANSWER])
    server.kill()
    await answered_once(business, ledger, record_property)
    # Twilio says "delivered" once: a process that died before it heard that knows no more than "sent".
    assert await ledger.statuses() in (["delivered"], ["sent"])
    assert business.calls == ["begin 7", "end 7"]
    assert business.brain.asked == {("first", 7): 1, ("second", 7): 1}


async def test_killed_right_after_a_200_the_text_is_there(business, ledger):
    """Thirty texts come at once, and with the tenth 200 the process is dead."""
    server = await business.serve("--no-worker")
    taken = []

    def count(change):
        if change.kind is Kind.WEBHOOK and change.status == "200":
            taken.append(change.sid)
            if len(taken) == 10:
                server.kill()

    business.twilio.on_change(count)
    phones = [business.phone(f"{ANA[:-2]}{n:02}") for n in range(30)]
    await asyncio.gather(*(phone.text(f"Hi, I am guest {n}.") for n, phone in enumerate(phones)))
    stored = {row.sid for row in await ledger.rows(select(texts.c.sid))}
    assert len(taken) >= 10
    assert stored >= set(taken)
