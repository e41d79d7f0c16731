"""What the doctor says of a database and of Twilio, in the words that the one on call reads."""

from datetime import timedelta

from sqlalchemy import insert, update

from replyline.db.tables import senders, texts, work
from replyline.doctor import Level, ask_twilio, examine, worst
from replyline.simulator import DROPPED_AFTER_ACCEPTING, Fault
from tests.support.cast import GYM_NUMBER
from tests.support.post import make_post, post

__all__ = ["make_post", "post"]


def said(post):
    findings = post.db.run_blocking(examine, post.clock.now())
    return worst(findings), [finding.says for finding in findings]


def due(post, kind, **ago):
    at = post.clock.now() - timedelta(**ago)
    post.db.run_blocking(lambda conn: conn.execute(insert(work).values(kind=kind, key="one", since=at, due=at)))


def test_a_server_without_work_is_well(post):
    assert said(post) == (Level.OK, ["No text is in doubt.", "Nothing is due that nobody does."])


async def test_a_text_in_doubt_is_shown_with_its_age(post):
    post.twilio.faults.next_creates(DROPPED_AFTER_ACCEPTING)
    post.say()
    await post.work()
    post.clock.advance(minutes=5)
    level, (doubt, *_) = said(post)
    assert level is Level.LOOK
    assert doubt.startswith("1 text is UNKNOWN, the oldest for 5 min; ")
    post.clock.advance(hours=3)
    level, (doubt, *_) = said(post)
    assert level is Level.WRONG
    assert "the oldest for 3 h" in doubt


def test_turns_that_nobody_takes_are_wrong(post):
    due(post, "turn", seconds=30)
    assert said(post)[0] is Level.OK
    post.clock.advance(minutes=10)
    level, (_, waiting) = said(post)
    assert level is Level.WRONG
    assert waiting.startswith("1 of kind turn due, the oldest for 10 min. Does a worker run")


def test_texts_that_wait_for_their_sender_are_not_wrong(post):
    due(post, "send", hours=3)
    assert said(post) == (Level.OK, ["No text is in doubt.", "1 of kind send due, the oldest for 3 h."])


def test_texts_that_no_webhook_brought_are_counted_for_a_day(post):
    text_id = post.say()
    found = update(texts).where(texts.c.id == text_id).values(is_inbound=True, found_at=post.clock.now())
    post.db.run_blocking(lambda conn: conn.execute(found))
    assert (
        "1 text is found in Twilio's list within a day, because no webhook had brought them; why were we away?"
        in said(post)[1]
    )
    post.clock.advance(days=2)
    assert not any("list within a day" in each for each in said(post)[1])


def test_a_paused_sender_is_named_by_its_last_digits_and_says_why(post):
    until = post.clock.now() + timedelta(minutes=3)
    paused = {"address": GYM_NUMBER, "spoken_for_until": until, "closed_until": until, "why": "Twilio's queue is full."}
    post.db.run_blocking(lambda conn: conn.execute(insert(senders).values(**paused)))
    level, words = said(post)
    assert level is Level.LOOK
    assert words[-1].endswith(" sends nothing for another 3 min: Twilio's queue is full.")
    assert GYM_NUMBER not in words[-1]


async def test_twilio_is_asked_with_our_credentials(post):
    assert (await ask_twilio(post.client, GYM_NUMBER, None, post.clock.now())).level is Level.OK
    assert (await ask_twilio(post.client, None, None, post.clock.now())).level is Level.LOOK
    post.twilio.faults.of_requests.append(lambda request: Fault(status=401, code=20003))
    finding = await ask_twilio(post.client, GYM_NUMBER, None, post.clock.now())
    assert finding.level is Level.WRONG
    assert finding.says.startswith("Twilio's REST API does not answer as it should: ")
