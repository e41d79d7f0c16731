"""The count sees each thing that must not happen: here one is made to."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from replyline.simulator import INSTANT, SimulatedTwilio
from replyline.twilio.client import Outgoing, TwilioClient
from tests.chaos.brain import Brain
from tests.chaos.count import Rows, count
from tests.chaos.people import People, Request, number_of
from tests.chaos.plan import Plan
from tests.support.cast import GYM_NUMBER

ANA = number_of(7)
ANSWER = "You're booked, guest 7. I read (7.1)."
NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)


class Story:
    """One text and its answer, by all four witnesses."""

    def __init__(self, twilio, ledger):
        self.twilio, self.ledger = twilio, ledger
        self.people = People(Plan(seed=1, conversations=1, kills=0), twilio)
        self.brain = Brain(1, fails=False)

    async def tell(self):
        sid = await self.twilio.phone(ANA).text("Hi, I am guest 7. (7.1)")
        self.people.acknowledged[sid] = NOW.timestamp()
        self.people.written[ANA] += 1
        text = SimpleNamespace(sid=sid, handled_at=NOW, turn_id="trn_1", why=None)
        turn = SimpleNamespace(id="trn_1", state="done", runs=1)
        self.rows = Rows(inbound=[text], outbound=[await self.answer()], turns={"trn_1": turn}, work=[])
        (self.ledger / "7 trn_1:1:call_1").touch()
        self.people.requests.clear()  # made by today's clock, and this story has its own

    async def answer(self, text_id="txt_1", words=ANSWER):
        """Send it; gives its row."""
        twilio = TwilioClient(
            account_sid=self.twilio.account_sid,
            username=self.twilio.account_sid,
            password=self.twilio.auth_token,
            url=self.twilio.url,
        )
        callback = f"http://127.0.0.1:1/status?text={text_id}"
        made = await twilio.create(
            Outgoing(
                to=ANA,
                sender=GYM_NUMBER,
                messaging_service_sid=None,
                body=words,
                media_urls=[],
                status_callback=callback,
            )
        )
        await twilio.close()
        await self.twilio.settle()
        return SimpleNamespace(
            id=text_id, sid=made.sid, turn_id="trn_1", phone=ANA, sending_at=NOW, status="delivered", why=None
        )

    def count(self):
        found = count(self.people, self.brain, self.rows, self.ledger)
        return {each.what: len(each.cases) for each in found if each.cases}


@pytest.fixture
async def story(tmp_path):
    twilio = SimulatedTwilio(delivery=INSTANT)
    twilio.add_number(GYM_NUMBER)
    async with twilio.serving():
        story = Story(twilio, tmp_path)
        await story.tell()
        yield story


async def test_when_all_is_well_every_count_is_nought(story):
    assert story.count() == {}


async def not_stored(story):
    story.rows = replace(story.rows, inbound=[])


async def never_handled(story):
    story.rows.inbound[0].handled_at = None


async def not_named_in_the_answer(story):
    sid = await story.twilio.phone(ANA).text("One more thing from guest 7. (7.2)")
    story.rows.inbound.append(SimpleNamespace(**vars(story.rows.inbound[0]) | {"sid": sid}))


async def named_in_two_answers(story):
    story.rows.outbound.append(SimpleNamespace(**vars(await story.answer("txt_2")) | {"turn_id": None}))


async def two_effects(story):
    (story.ledger / "7 trn_1:1:call_2").touch()


async def no_effect(story):
    (story.ledger / "7 trn_1:1:call_1").unlink()


async def sent_again(story):
    await story.answer(words="You're booked, guest 7.")


async def judged_after_stop(story):
    story.people.stopped[ANA] = NOW.timestamp() - 1


async def asked_after_stop(story):
    story.people.stopped[ANA] = NOW.timestamp() + 1
    story.people.requests.append(Request(phone=ANA, at=NOW.timestamp() + 60))


async def two_turns(story):
    story.brain.overlapped.append("guest 7")


async def work_left(story):
    story.rows.work.append(SimpleNamespace(kind="send", key="txt_1"))


async def never_shown(story):
    story.twilio.phone(ANA).received.clear()


@pytest.mark.parametrize(
    ("happens", "seen"),
    [
        (not_stored, {"texts lost": 1}),
        (never_handled, {"texts lost": 1}),
        (not_named_in_the_answer, {"texts lost": 1}),
        (named_in_two_answers, {"texts answered twice": 1}),
        (two_effects, {"actions effective twice": 1}),
        (no_effect, {"answers without their action": 1}),
        (sent_again, {"sends repeated": 2}),  # one text twice, and a message that we do not know
        (judged_after_stop, {"texts after STOP": 1}),
        (asked_after_stop, {"texts after STOP": 1}),
        (two_turns, {"turns of a conversation at once": 1}),
        (work_left, {"left in doubt or undone": 1}),
        (never_shown, {"screens that differ from Twilio's list": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", "seen"),
)
async def test_what_must_not_happen_is_counted(story, happens, seen):
    await happens(story)
    assert story.count() == seen
