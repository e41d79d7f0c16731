"""People sign up on a web form, are asked by text where the line wants that, and count once they have answered."""

import json

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Route

from replyline.db.tables import consent_events, consents
from replyline.inbound.receive import receive
from replyline.people.sign_up import BadSignUp, SignUp, sign_up
from replyline.people.sign_up_page import HEADER, LASTS, PATH, SignUpPage, signature_of
from replyline.plugins.programs import Program, Tier
from replyline.plugins.senders import Sender
from replyline.rules import ledger
from replyline.rules.consent import OptedOut
from replyline.rules.facts import Purpose
from tests.support.cast import ANA, GYM_NUMBER, an_arrival

MARKETING = Purpose.MARKETING
SENDERS = [Sender(GYM_NUMBER, countries=["US", "CA"])]
SHOWN = "I agree to get offers by text. Not a condition of purchase."
QUESTION = (
    "Gym: reply JOIN to get our news and offers by text. Msg frequency varies. "
    "Msg & data rates may apply. HELP for help, STOP to opt out."
)
WELCOME = (
    "Gym: you're in for our news and offers. Msg frequency varies. "
    "Msg & data rates may apply. HELP for help, STOP to opt out."
)


@pytest.fixture
def asking(make_post):
    """A gym that asks everybody who signs up whether they mean it."""
    return make_post(double_opt_in=True, programs=[Program("reminders", title="class reminders")])


def sign(post, **given):
    words = {"phone": ANA, "purpose": MARKETING, "tier": Tier.EXPRESS_WRITTEN, "source": "web_form"}
    return post.db.run_blocking(sign_up, post.line, SENDERS, SignUp(**words | given), post.clock.now())


def answer(post, body, **given):
    return post.db.run_blocking(
        receive, [an_arrival(body, line=post.line, at=post.clock.now(), **given)]
    )  # fmt: skip


def kinds(post):
    return [row.kind for row in post.db.run_blocking(lambda c: c.execute(EVENTS).all())]


EVENTS = select(consent_events).order_by(consent_events.c.position)


async def offer(post):
    """Send an offer, and say what became of it."""
    from replyline.outbound.say import say

    def queue(conn):
        return say(
            conn, line="gym", phone=ANA, our_address=GYM_NUMBER, body="Half price!", purpose=MARKETING,
            now=post.clock.now(),
        )  # fmt: skip

    text_id = post.db.run_blocking(queue)
    await post.work()
    return post.status(text_id)


@pytest.mark.parametrize("word", ["JOIN", "join!", "Yes", "sí", "ok"])
async def test_who_signed_up_gets_offers_only_after_saying_yes_to_our_question(asking, word):
    signed_up = sign(asking)
    await asking.work()
    assert signed_up.waits_for_answer
    assert asking.screen() == [QUESTION]
    assert await offer(asking) == "refused"
    answer(asking, word)
    await asking.work()
    assert asking.screen()[1:] == [WELCOME]
    assert await offer(asking) == "sent"
    assert kinds(asking) == ["opt_in", "opt_in_confirmed"]
    assert asking.db.run_blocking(ledger.verify, "gym").wrong == ()


async def test_a_yes_that_answers_another_text_confirms_nothing_and_join_does(asking):
    sign(asking)
    await asking.work()
    asking.say("Shall we book you for Monday?", purpose=Purpose.CONVERSATIONAL_REPLY)
    await asking.work(seconds=1)
    answer(asking, "yes")
    assert kinds(asking) == ["opt_in"]
    answer(asking, "join")
    assert kinds(asking) == ["opt_in", "opt_in_confirmed"]


async def test_a_question_of_yesterday_is_not_answered_by_todays_yes(asking):
    sign(asking)
    await asking.work()
    asking.clock.advance(hours=25)
    answer(asking, "JOIN")
    assert kinds(asking) == ["opt_in"]


@pytest.mark.parametrize("word", ["yes", "JOIN"])
async def test_a_yes_that_is_found_late_and_is_older_than_the_question_says_nothing_to_it(asking, word):
    written_at = asking.clock.now()
    asking.clock.advance(minutes=1)
    sign(asking)
    await asking.work()
    found = an_arrival(word, line=asking.line, at=written_at, found_at=asking.clock.now())
    asking.db.run_blocking(receive, [found])
    assert kinds(asking) == ["opt_in"]


async def test_a_stop_after_the_question_is_a_stop(asking):
    sign(asking)
    await asking.work()
    answer(asking, "STOP")
    answer(asking, "JOIN")
    await asking.work()
    assert await offer(asking) == "refused"
    assert asking.rows(consents) == []
    assert asking.screen() == [QUESTION]


async def test_where_nobody_is_asked_they_are_welcomed(make_post):
    post = make_post()
    assert not sign(post).waits_for_answer
    await post.work()
    assert post.screen() == [WELCOME]
    assert await offer(post) == "sent"


async def test_the_question_arrives_at_night_too_and_not_after_an_hour(asking):
    asking.clock.advance(hours=12)  # Monday night
    sign(asking)
    await asking.work()
    assert asking.screen() == [QUESTION]
    late = sign(asking, submission="2").text_id
    await asking.work(seconds=3700)
    assert asking.status(late) == "expired"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"program": "nope"}, "has no program 'nope'"),
        ({"tier": Tier.EXPRESS}, "take express written consent"),
        ({"purpose": Purpose.HELP_REPLY}, "marketing or transactional"),
    ],
)
def test_a_sign_up_that_would_not_count_is_refused(asking, given, why):
    with pytest.raises(BadSignUp, match=why):
        sign(asking, **given)
    assert kinds(asking) == []


def test_nobody_who_opted_out_is_signed_up_by_a_form(asking):
    answer(asking, "STOP")
    with pytest.raises(OptedOut, match="only their own START"):
        sign(asking)


def test_the_same_submission_twice_is_one_sign_up(asking):
    first, again = sign(asking, submission="f-1"), sign(asking, submission="f-1")
    assert (again.event_id, again.is_new, again.text_id) == (first.event_id, False, None)
    assert sign(asking, submission="f-2").is_new


SECRET = "a-secret-of-the-form"


@pytest.fixture
async def form(asking):
    """The endpoint, and how the business's server calls it."""

    def client(secret=SECRET):
        page = SignUpPage(line=asking.line, senders=SENDERS, db=asking.db, clock=asking.clock, secret=secret)
        app = Starlette(routes=[Route(PATH, page.answer, methods=["POST"])])
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")

    async def post(at=0, secret=SECRET, tamper=b"", raw=None, **given):
        body = raw if raw is not None else json.dumps(FILLED_IN | given).encode()
        signed_at = int(asking.clock.now().timestamp()) + at
        signature = signature_of(SECRET.encode(), body, signed_at)
        async with client(secret) as calling:
            return await calling.post(
                PATH, content=body + tamper, headers={HEADER: f"t={signed_at},v1={signature}"}
            )  # fmt: skip

    return post


FILLED_IN = {
    "phone": "(415) 555-0123", "purpose": "marketing", "submission": "f-1", "disclosure": SHOWN, "ip": "203.0.113.7",
    "page_url": "https://gym.test/join", "action": "checkbox ticked", "user_agent": "Firefox",
}  # fmt: skip


async def test_a_signed_form_is_kept_with_what_was_shown_from_where(form, asking):
    answered = await form()
    assert (answered.status_code, answered.json()["waits_for_answer"]) == (201, True)
    (event,) = asking.db.run_blocking(lambda c: c.execute(EVENTS).all())
    assert (event.source, event.tier, event.phone) == ("web_form", "express_written", "+14155550123")
    assert event.proof == {
        "disclosure": SHOWN, "page_url": "https://gym.test/join", "action": "checkbox ticked", "ip": "203.0.113.7",
        "user_agent": "Firefox", "submission": "f-1",
    }  # fmt: skip
    again = await form()
    assert (again.status_code, again.json()["event"]) == (200, event.id)


async def test_a_submission_whose_id_no_database_can_hold_is_still_one_sign_up(form, asking):
    assert [(await form(submission="f\x00-1", name="A\x00na")).status_code for _ in range(2)] == [201, 200]
    (event,) = asking.db.run_blocking(lambda c: c.execute(EVENTS).all())
    assert (event.proof["submission"], event.proof["name"]) == ("f-1", "Ana")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"tamper": b" "}, 403),
        ({"at": -LASTS - 1}, 403),
        ({"at": LASTS + 1}, 403),
        ({"secret": "another secret......"}, 403),
        ({"secret": None}, 404),
        ({"raw": b"x" * 70_000}, 413),
        ({"raw": b"{"}, 422),
        ({"raw": b"\xff"}, 422),
        ({"phone": "12"}, 422),
        ({"disclosure": ""}, 422),
        ({"unknown": "x"}, 422),
        ({"tier": "express"}, 422),
        ({"phone": "+447400111222"}, 422),  # no sender of the line is for there
    ],
)
async def test_a_form_that_cannot_be_taken_says_why_and_keeps_nothing(form, asking, given, status):
    answered = await form(**given)
    assert answered.status_code == status
    assert answered.json()["error"].endswith(".")
    assert "555" not in answered.text
    assert kinds(asking) == []


async def test_who_opted_out_is_not_signed_up_by_the_form(form, asking):
    answer(asking, "STOP", phone="+14155550123")
    assert (await form()).status_code == 409
