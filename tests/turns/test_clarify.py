"""A word that stops all texts and may have answered our question: they are stopped, helped, and told of the way back, once."""

import pytest
from sqlalchemy import update
from tests.support.cast import ANA, GYM_NUMBER, a_line
from tests.support.road import FixedModel, Road, calls, says

from replyline import ActionContext
from replyline.db.tables import consents, conversations, opt_outs, texts
from replyline.inbound.receive import Received
from replyline.llm.errors import ModelRefused
from replyline.outbound.say import say
from replyline.rules.facts import Purpose
from replyline.rules.keywords import words_of
from replyline.rules.rulebook import read_rulebook

SPANISH = words_of(read_rulebook().keywords, ["es"])
WAY_BACK = "You get no more texts from Gym. Reply TEXTS OK to keep getting them."


@pytest.fixture
def road(db, clock, tmp_path):
    def make(*answers, **given):
        line = a_line(**{"action_words": ["cancel"]} | given)
        return Road(db=db, clock=clock, line=line, model=FixedModel(list(answers)), media_dir=tmp_path)

    return make


def ask(gym, body="See you Tuesday at three?"):
    """A text of ours that has left."""

    def queue(conn):
        text_id = say(
            conn, line="gym", phone=ANA, our_address=GYM_NUMBER, body=body, purpose=Purpose.TRANSACTIONAL,
            now=gym.clock.now(),
        )  # fmt: skip
        conn.execute(update(texts).where(texts.c.id == text_id).values(status="sent"))

    gym.db.run_blocking(queue)
    gym.clock.advance(seconds=60)


def said(gym):
    return [(row.purpose, row.body) for row in sorted(gym.rows(texts), key=by_time) if not row.is_inbound][1:]


def by_time(row):
    return row.created_at


def leave(gym):
    gym.db.run_blocking(
        lambda conn: conn.execute(update(texts).where(~texts.c.is_inbound).values(status="sent")) and None
    )  # fmt: skip


async def test_cancel_after_our_question_stops_all_texts_cancels_and_says_the_way_back_in_one_text(road):
    canceled = []
    gym = road(calls(("cancel_visit", {})), says("Your visit is off."))

    @gym.line.action
    def cancel_visit(ctx: ActionContext) -> str:
        """Cancel the visit."""
        canceled.append(ctx.contact.phone)
        return "canceled"

    ask(gym)
    assert await gym.text("CANCEL") is Received.NEW
    assert [row.scope for row in gym.rows(opt_outs)] == ["all"]  # before anything else
    await gym.work()
    assert canceled == [ANA]
    assert said(gym) == [("opt_out_confirmation", f"Your visit is off. {WAY_BACK}")]
    assert await gym.text("Thanks") is Received.QUIET
    assert [row.clarifies_until for row in gym.rows(conversations)] == [None]


@pytest.mark.parametrize("word", ["TEXTS OK", "texts ok!", "Text OK"])
async def test_who_answers_the_clarification_gets_notices_again(road, word):
    gym = road(says("Off."))
    ask(gym)
    await gym.text("cancel")
    await gym.work()
    leave(gym)
    assert await gym.text(word) is Received.HEEDED
    assert gym.rows(opt_outs) == []
    assert [(row.purpose, row.tier) for row in gym.rows(consents)] == [("transactional", "express")]


async def test_texts_ok_from_who_was_not_asked_brings_no_consent(road):
    gym = road()
    await gym.text("STOP")
    assert await gym.text("TEXTS OK") is Received.HEEDED
    assert gym.rows(consents) == []


async def test_silence_means_stopped(road):
    gym = road(says("Off."))
    ask(gym)
    await gym.text("cancel")
    await gym.work()
    await gym.work(seconds=86_400)
    assert [row.scope for row in gym.rows(opt_outs)] == ["all"]
    assert len(said(gym)) == 1


async def test_a_model_that_cannot_answer_leaves_the_way_back(road):
    gym = road(ModelRefused("no"))
    ask(gym)
    await gym.text("cancel")
    await gym.work()
    assert said(gym) == [("opt_out_confirmation", WAY_BACK)]


async def test_a_clarification_that_would_come_late_is_not_sent(road):
    gym = road(says("Off."))
    ask(gym)
    await gym.text("cancel")
    await gym.work(seconds=301)
    assert said(gym) == []


async def test_stop_right_after_it_is_confirmed_once(road):
    gym = road(says("Off."))
    ask(gym)
    await gym.text("cancel")
    await gym.text("stop it")
    await gym.work()
    assert [purpose for purpose, _ in said(gym)] == ["opt_out_confirmation"]


@pytest.mark.parametrize(
    ("words", "asked", "body"),
    [
        ([], "See you Tuesday at three?", "CANCEL"),  # no word of this line's
        (["cancel"], "See you Tuesday at three.", "CANCEL"),  # no question
        (["cancel"], "See you Tuesday at three?", "STOP"),
    ],
)
async def test_other_stops_are_stops_and_nothing_else(road, words, asked, body):
    gym = road(action_words=words)
    ask(gym, asked)
    assert await gym.text(body) is Received.HEEDED
    await gym.work()
    assert said(gym) == []  # Twilio confirms these on a long code


async def test_a_question_of_last_week_is_no_longer_open(road):
    gym = road()
    ask(gym)
    gym.clock.advance(hours=25)
    assert await gym.text("CANCEL") is Received.HEEDED


async def test_what_advanced_opt_out_has_acted_on_is_a_stop(road):
    gym = road()
    ask(gym)
    assert await gym.text("CANCEL", opt_out_type="STOP") is Received.HEEDED


async def test_cancel_in_other_languages_asks_too_where_the_list_has_it(road):
    gym = road(says("Cancelada."), action_words=[])
    ask(gym, "¿Nos vemos el martes?")
    heard = await gym.text("CANCELAR", words=SPANISH)
    assert heard is Received.NEW
    await gym.work()
    assert said(gym) == [("opt_out_confirmation", f"Cancelada. {WAY_BACK}")]
