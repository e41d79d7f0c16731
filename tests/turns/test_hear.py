"""A model hears the opt-outs that no list and no phrase has, seeing one text alone."""

import pytest
from sqlalchemy import update
from tests.support.cast import a_line
from tests.support.road import FixedModel, Road, says

from replyline.db.tables import consent_events, opt_outs, steps, texts, work
from replyline.inbound.receive import Received
from replyline.llm.errors import ModelFiltered, ModelRefused, ModelUnavailable
from replyline.rules.free_words import asks_to_stop, may_ask_to_stop
from replyline.turns.hear import QUESTION, Asks, read

PUZZLE = "I am done hearing from a gym I left years ago"  # no phrase has it
GOODBYE = "Gym: you are unsubscribed and will get no more texts. Reply START to resubscribe."


@pytest.fixture
def road(db, clock, tmp_path):
    def make(*answers, **given):
        model = FixedModel(list(answers))
        return Road(db=db, clock=clock, line=a_line(**given), model=model, media_dir=tmp_path, hears=True)

    return make


def scopes(gym):
    return [row.scope for row in gym.rows(opt_outs)]


async def test_an_opt_out_that_only_the_model_hears_is_confirmed_once_and_not_answered(road):
    gym = road(says("STOP"))
    assert await gym.text(PUZZLE) is Received.NEW
    await gym.work()
    assert gym.replies() == [GOODBYE]
    assert scopes(gym) == ["all"]
    assert gym.outcomes() == [("dropped", "dropped")]
    (event,) = gym.rows(consent_events)
    assert (event.matched_by, event.kind) == ("classifier", "opt_out")
    assert event.proof == {"model": "test-1", "said": "stop", "question": "1"}
    assert await gym.text("Hello?") is Received.QUIET


async def test_the_model_sees_that_text_alone(road):
    gym = road(says("NO"), says("Bye!"))
    await gym.text("Yoga at six?")
    await gym.text(PUZZLE)
    await gym.work()
    asked, answered = gym.model.seen
    assert (asked.instructions, asked.turns[0].texts, asked.tools) == (QUESTION, (PUZZLE,), ())
    assert answered.turns[-1].texts == ("Yoga at six?", PUZZLE)
    assert gym.replies() == ["Bye!"]
    assert scopes(gym) == []


async def test_who_may_have_meant_it_is_answered_and_not_advertised_to_any_more(road):
    gym = road(says("UNSURE"), says("Sorry to hear that."))
    await gym.text(PUZZLE)
    await gym.work()
    assert gym.replies() == ["Sorry to hear that."]
    assert scopes(gym) == ["marketing"]


@pytest.mark.parametrize("error", [ModelRefused("no"), ModelFiltered("no")])
async def test_a_text_that_the_model_will_not_judge_is_unsure(road, error):
    gym = road(error, says("Hm."))
    await gym.text(PUZZLE)
    await gym.work()
    assert scopes(gym) == ["marketing"]


async def test_the_model_is_asked_about_each_text_once_though_the_turn_is_taken_up_again(road):
    gym = road(says("NO"), ModelUnavailable("away"), says("Hi."))
    await gym.text(PUZZLE)
    await gym.work()
    await gym.work()
    assert gym.replies() == ["Hi."]
    assert [row.kind for row in sorted(gym.rows(steps), key=lambda row: row.position)] == ["hear", "model"]


async def test_what_hearing_costs_is_kept(road):
    gym = road(says("STOP"))
    await gym.text(PUZZLE)
    await gym.work()
    (step,) = gym.rows(steps)
    assert (step.kind, step.model, step.cost_micros) == ("hear", "test-1", 7)


async def test_most_texts_are_not_shown_for_that(road):
    gym = road(says("Yes, until nine."))
    await gym.text("Are you open?")
    await gym.work()
    assert gym.replies() == ["Yes, until nine."]


async def test_a_line_can_do_without(road):
    gym = road(says("Bye!"), hears_with_model=False)
    await gym.text(PUZZLE)
    await gym.work()
    assert gym.replies() == ["Bye!"]


async def test_a_text_that_joins_a_turn_is_heard_too(road):
    async def meanwhile(_):
        await gym.text(PUZZLE)
        return says("We open at nine.")

    gym = road(meanwhile, says("STOP"))
    await gym.text("Are you open?")
    await gym.work()
    assert gym.replies() == [GOODBYE]
    assert scopes(gym) == ["all"]


async def test_a_confirmation_that_would_come_late_is_not_sent(road):
    gym = road(ModelUnavailable("away"), says("STOP"), deadline=3600.0, holding_after=None)
    await gym.text(PUZZLE)
    await gym.work()
    await gym.work(seconds=600)
    assert gym.replies() == []
    assert scopes(gym) == ["all"]


async def test_nobody_is_opted_out_by_a_worker_that_lost_its_turn(road):
    async def overtaken(_):
        await gym.db.run(lambda conn: conn.execute(update(work).values(token="another")) and None)
        return says("STOP")

    gym = road(overtaken)
    await gym.text(PUZZLE)
    await gym.work()
    assert scopes(gym) == []
    assert [row.body for row in gym.rows(texts) if not row.is_inbound] == []


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ("STOP", Asks.STOP),
        ("stop.", Asks.STOP),
        ("NO", Asks.NO),
        ("Answer: UNSURE", Asks.UNSURE),
        ("", Asks.UNSURE),
        ("I cannot tell", Asks.UNSURE),
        ("NOTHING", Asks.UNSURE),
    ],
)
def test_the_model_answers_with_a_word_and_anything_else_is_unsure(said, asks):
    assert read(said) is asks


def test_no_phrase_has_the_text_of_these_tests():
    assert (asks_to_stop(PUZZLE), may_ask_to_stop(PUZZLE)) == (False, True)
