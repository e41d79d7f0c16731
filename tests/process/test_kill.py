"""kill -9 at every point of the design's table. Started again, the person gets one answer, and the class is booked once.

A process is stopped at an exact point by what is outside it: the model or Twilio that does not answer, an action or a
rule of the business that waits for a file, a lock in the database that the test holds.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from replyline.db.tables import texts, turns
from replyline.simulator import SILENT_AFTER_ACCEPTING, Kind, WebhookFault
from tests.support.cast import ANA
from tests.support.databases import frozen, someone_waits
from tests.support.processes import WORDS, until
from tests.support.to_do import TO_DO

pytestmark = pytest.mark.process

HELLO = "Hi, I am guest 7."
ANSWER = WORDS.format(7)
ONCE = ["begin 7", "end 7"]


class Scene:
    """A business, what its database says, and what can hold it up."""

    def __init__(self, business, db):
        self.business, self.brain, self.db = business, business.brain, db
        self.gate = business.gate

    async def texted(self, *options):
        """A server that has answered Twilio about Ana's text."""
        server = await self.business.serve(*options)
        await self.business.phone().text(HELLO)
        return server

    def frozen(self, table):
        return frozen(self.business.database_url, table)

    async def stuck(self):
        """Once somebody waits for the frozen table. SQLite does not tell, so it gets the time it takes."""
        if self.business.database_url.startswith("sqlite"):
            await asyncio.sleep(0.3)
        else:
            await until(lambda: someone_waits(self.business.database_url))

    async def rows(self, statement):
        return await self.db.run(lambda conn: conn.execute(statement).all())

    async def nothing_left_to_do(self):
        """Once no work is left, nobody can be texted any more."""
        async with asyncio.timeout(30):
            while await self.rows(TO_DO):
                await asyncio.sleep(0.05)

    async def statuses(self):
        return [row.status for row in await self.rows(select(texts.c.status).where(~texts.c.is_inbound))]


@pytest.fixture
def scene(business, db, launcher):
    business.launcher = launcher
    return Scene(business, db)


async def before_the_commit_of_the_text(scene):
    server = await scene.business.serve()
    with scene.frozen("texts"):
        texting = asyncio.create_task(scene.business.phone().text(HELLO))
        await scene.stuck()
        server.kill()
    await texting
    assert await scene.rows(select(texts.c.sid)) == []


async def before_the_turn(scene):
    server = await scene.texted("--no-worker")
    server.kill()
    assert scene.brain.asked == {}


async def while_the_model_thinks(scene):
    scene.brain.hold("first")
    server = await scene.texted()
    await until(lambda: scene.brain.thinking[7] == 1)
    server.kill()
    scene.brain.let_go("first")


async def before_the_first_answer_is_recorded(scene):
    await answered_into_a_frozen_table(scene, "first")
    assert scene.business.calls == []


async def inside_the_action_before_its_effect(scene):
    scene.business.hold("before")
    server = await scene.texted()
    await until(lambda: scene.business.calls == ["begin 7"])
    server.kill()
    scene.business.let_go("before")
    assert scene.business.bookings == []


async def inside_the_action_after_its_effect(scene):
    scene.business.hold("after")
    server = await scene.texted()
    await until(lambda: scene.business.bookings == [7])
    server.kill()
    scene.business.let_go("after")


async def before_the_end_of_the_action_is_recorded(scene):
    scene.business.hold("after")
    server = await scene.texted()
    await until(lambda: scene.business.bookings == [7])
    with scene.frozen("steps"):
        scene.business.let_go("after")
        await until(lambda: scene.business.calls == ONCE)
        await scene.stuck()
        server.kill()


async def while_the_model_thinks_again(scene):
    scene.brain.hold("second")
    server = await scene.texted()
    await until(lambda: scene.brain.asked["second", 7] == 1)
    server.kill()
    scene.brain.let_go("second")


async def before_the_commit_of_the_turn(scene):
    await answered_into_a_frozen_table(scene, "second")
    assert await scene.statuses() == []


async def answered_into_a_frozen_table(scene, which):
    scene.brain.hold(which)
    server = await scene.texted()
    await until(lambda: scene.brain.asked[which, 7] == 1)
    with scene.frozen("steps"):
        scene.brain.let_go(which)
        await until(lambda: scene.brain.thinking[7] == 0)
        await scene.stuck()
        server.kill()


async def before_the_reply_is_claimed(scene):
    scene.business.hold("leaving")
    server = await scene.texted()
    await until(lambda: scene.business.is_leaving)
    server.kill()
    scene.business.let_go("leaving")
    assert await scene.statuses() == ["queued"]


async def before_twilio_hears_of_the_reply(scene):
    await dead_before_twilio_has_it(scene)
    scene.gate.lose("requests")


async def before_twilio_takes_the_reply_that_is_on_the_wire(scene):
    await dead_before_twilio_has_it(scene)
    scene.gate.let_go("requests")
    await until(lambda: scene.business.sent == [ANSWER])


async def dead_before_twilio_has_it(scene):
    scene.gate.hold("requests")
    server = await scene.texted()
    await until(lambda: scene.gate.waiting["requests"] == 1)
    server.kill()
    assert await scene.statuses() == ["sending"]


async def while_twilio_answers(scene):
    scene.business.twilio.faults.next_creates(SILENT_AFTER_ACCEPTING)
    server = await scene.texted()
    await until(lambda: scene.business.sent == [ANSWER])
    server.kill()


async def before_twilios_answer_is_recorded(scene):
    scene.gate.hold("answers")
    server = await scene.texted()
    scene.business.twilio.faults.next_webhooks(WebhookFault.LOST, times=9)
    await until(lambda: scene.gate.waiting["answers"] == 1)
    with scene.frozen("texts"):
        scene.gate.let_go("answers")
        await scene.stuck()
        server.kill()
    assert await scene.statuses() == ["sending"]


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a process dies, and what that costs: nothing that the person sees."""

    die: Callable[[Scene], Awaitable[None]]
    asked: tuple[int, int] = (1, 1)  # how often the model is asked for the first answer and for the second
    calls: list[str] = field(default_factory=lambda: ONCE)  # of the action


POINTS = [
    Point(die=before_the_turn),
    Point(die=while_the_model_thinks, asked=(2, 1)),
    Point(die=before_the_first_answer_is_recorded, asked=(2, 1)),
    Point(die=inside_the_action_before_its_effect, calls=["begin 7", *ONCE]),
    Point(die=inside_the_action_after_its_effect, calls=["begin 7", *ONCE]),
    Point(die=before_the_end_of_the_action_is_recorded, calls=ONCE * 2),
    Point(die=while_the_model_thinks_again, asked=(1, 2)),
    Point(die=before_the_commit_of_the_turn, asked=(1, 2)),
    Point(die=before_the_reply_is_claimed),
    Point(die=before_twilio_takes_the_reply_that_is_on_the_wire),
    Point(die=while_twilio_answers),
    Point(die=before_twilios_answer_is_recorded),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.die.__name__)
async def test_killed_at_this_point_the_person_is_answered_once(scene, point, record_property):
    await point.die(scene)
    await scene.business.serve()
    begun = time.monotonic()
    await answered_once(scene, within=5)
    record_property("ready_to_answer", f"{time.monotonic() - begun:.2f} s")
    assert (scene.brain.asked["first", 7], scene.brain.asked["second", 7]) == point.asked
    assert scene.business.calls == point.calls


@pytest.mark.timeout(200)
@pytest.mark.long  # it waits a minute and a half: only then is it certain that Twilio has given up
async def test_killed_before_the_text_is_stored_it_is_found_at_twilio_and_answered_once(scene):
    await before_the_commit_of_the_text(scene)
    await scene.business.serve()
    await answered_once(scene, within=110)


@pytest.mark.long  # it waits half a minute: only then is it certain that the text never reached Twilio
async def test_killed_before_twilio_hears_of_the_reply_it_is_sent_after_all(scene):
    await before_twilio_hears_of_the_reply(scene)
    await scene.business.serve()
    await answered_once(scene, within=50)


async def test_killed_twice_in_one_turn_the_person_is_answered_once(scene):
    """Before the action takes effect, and again after it."""
    scene.business.hold("before")
    server = await scene.texted()
    await until(lambda: scene.business.calls == ["begin 7"])
    server.kill()
    scene.business.hold("after")
    scene.business.let_go("before")
    server = await scene.business.serve()
    await until(lambda: scene.business.bookings == [7])
    server.kill()
    scene.business.let_go("after")
    await scene.business.serve()
    await answered_once(scene, within=5)
    assert scene.business.calls == ["begin 7", "begin 7", *ONCE]
    assert scene.brain.asked == {("first", 7): 1, ("second", 7): 1}


async def answered_once(scene, *, within):
    """All ends well: one answer on the phone and at Twilio, one booking, and nothing left that could make a second."""
    business = scene.business
    await business.phone().wait_for(1, timeout=within)
    await scene.nothing_left_to_do()
    await asyncio.sleep(0.3)
    assert business.phone().screen == business.sent == [ANSWER]
    assert business.bookings == [7]
    # Twilio says "delivered" once: a process that died before it heard that knows no more than "sent".
    assert await scene.statuses() in (["delivered"], ["sent"])
    ended = await scene.rows(select(turns.c.state))
    assert Counter(row.state for row in ended) == {"done": 1}
    assert scene.brain.overlapped <= {7}
    unanswered = select(texts.c.sid).where(texts.c.is_inbound, texts.c.handled_at.is_(None))
    assert await scene.rows(unanswered) == []


async def test_killed_right_after_a_200_the_text_is_there(scene):
    """Thirty texts come at once, and with the tenth 200 the process is dead."""
    business = scene.business
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
    stored = {row.sid for row in await scene.rows(select(texts.c.sid))}
    assert len(taken) >= 10
    assert stored >= set(taken)
