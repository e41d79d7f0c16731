from datetime import timedelta

import pytest
from sqlalchemy import select, update

from replyline.conversations.delivery import Status
from replyline.conversations.text import Picture
from replyline.db import Db
from replyline.db.tables import consent_events, contacts, conversations, media, opt_outs, texts, work
from replyline.inbound.receive import Received, receive
from replyline.outbound.queue import NewText, queue_text
from replyline.rules.facts import Purpose
from replyline.rules.keywords import words_of
from replyline.rules.rulebook import read_rulebook
from tests.support.cast import ANA, BRUNO, GYM_NUMBER, MONDAY, a_line, an_arrival


def rows(db: Db, table):
    return db.run_blocking(lambda conn: conn.execute(select(table)).all())


def take_in(db: Db, *arrivals):
    return db.run_blocking(receive, arrivals)


def test_a_text_is_stored_and_a_turn_is_armed_in_the_same_transaction(db):
    assert take_in(db, an_arrival("Can I come to yoga?")) == [Received.NEW]

    (text,) = rows(db, texts)
    assert (text.body, text.status, text.is_inbound, text.handled_at) == ("Can I come to yoga?", "received", True, None)
    (armed,) = rows(db, work)
    assert (armed.kind, armed.key) == ("turn", text.conversation_id)


def test_a_repeated_message_sid_changes_nothing(db):
    arrival = an_arrival("Hello")
    assert take_in(db, arrival) == [Received.NEW]
    assert take_in(db, arrival) == [Received.AGAIN]
    assert take_in(db, arrival, arrival) == [Received.AGAIN, Received.AGAIN]
    assert len(rows(db, texts)) == 1


def test_a_message_sid_twice_in_one_set_is_stored_once(db):
    arrival = an_arrival("Hello")
    assert take_in(db, arrival, arrival) == [Received.NEW, Received.AGAIN]
    assert len(rows(db, texts)) == 1


def test_a_burst_is_one_turn_that_is_put_off_by_each_text(db):
    line = a_line(settle=2.0, settle_at_most=5.0)
    for second in (0, 1, 2, 3, 4):
        take_in(db, an_arrival("and", line=line, at=MONDAY + timedelta(seconds=second)))
    (armed,) = rows(db, work)
    assert armed.due == MONDAY + timedelta(seconds=5)


def test_a_finished_question_is_answered_sooner(db):
    take_in(db, an_arrival("Are you open?", line=a_line(settle=2.0)))
    (armed,) = rows(db, work)
    assert armed.due == MONDAY + timedelta(seconds=0.8)


def test_stop_opts_out_cancels_what_is_queued_and_arms_no_turn(db):
    take_in(db, an_arrival("Hi"))
    (conversation,) = rows(db, conversations)
    reminder = NewText(
        line="gym", conversation_id=conversation.id, phone=ANA, our_address=GYM_NUMBER, body="See you at 6.",
        purpose=Purpose.TRANSACTIONAL,
    )  # fmt: skip
    queued = db.run_blocking(queue_text, reminder, MONDAY)

    assert take_in(db, an_arrival("Stop.")) == [Received.HEEDED]

    assert [row.phone for row in rows(db, opt_outs)] == [ANA]
    assert [(row.kind, row.word) for row in rows(db, consent_events)] == [("opt_out", "Stop.")]
    assert {row.id: row.status for row in rows(db, texts)}[queued] == Status.CANCELED


def test_a_stop_on_a_long_code_is_left_for_twilio_to_confirm(db):
    take_in(db, an_arrival("STOP"))
    assert [row.body for row in rows(db, texts) if not row.is_inbound] == []


def test_a_stop_to_a_short_code_is_confirmed_by_us_once(db):
    take_in(db, an_arrival("STOP", our_address="12345"))
    (ours,) = [row for row in rows(db, texts) if not row.is_inbound]
    assert ours.purpose == Purpose.OPT_OUT_CONFIRMATION
    assert "unsubscribed" in ours.body


def test_whoever_has_opted_out_gets_no_turn_until_they_write_start(db):
    assert take_in(db, an_arrival("STOP", phone=BRUNO)) == [Received.HEEDED]
    assert take_in(db, an_arrival("Can I come?", phone=BRUNO)) == [Received.QUIET]
    assert take_in(db, an_arrival("START", phone=BRUNO)) == [Received.HEEDED]
    assert take_in(db, an_arrival("Can I come?", phone=BRUNO)) == [Received.NEW]
    assert [row.kind for row in rows(db, consent_events)] == ["opt_out", "reopened"]


def test_keywords_in_one_set_are_heard_in_their_order(db):
    results = take_in(db, an_arrival("STOP"), an_arrival("hello?"), an_arrival("START"), an_arrival("hello again"))
    assert results == [Received.HEEDED, Received.QUIET, Received.HEEDED, Received.NEW]


def test_yes_from_somebody_who_did_not_opt_out_is_an_answer_for_the_turn(db):
    assert take_in(db, an_arrival("Yes")) == [Received.NEW]


def test_advanced_opt_out_is_believed_and_never_answered(db):
    assert take_in(db, an_arrival("GENUG", our_address="12345", opt_out_type="STOP")) == [Received.HEEDED]
    assert len(rows(db, opt_outs)) == 1
    assert [row for row in rows(db, texts) if not row.is_inbound] == []


@pytest.mark.parametrize("body", ["please quit texting me", "Take me off your list!", "no mas", "STOP PLEASE", "unsub"])
def test_an_opt_out_in_free_words_is_heeded_like_stop_and_confirmed_by_us(db, body):
    assert take_in(db, an_arrival(body)) == [Received.HEEDED]
    assert [row.phone for row in rows(db, opt_outs)] == [ANA]
    (confirmation,) = [row for row in rows(db, texts) if not row.is_inbound]
    assert confirmation.purpose == Purpose.OPT_OUT_CONFIRMATION  # Twilio knows none of these, and confirms nothing
    (event,) = rows(db, consent_events)
    assert (event.kind, event.word, event.text_id is None) == ("opt_out", body, False)
    assert event.matched_by in {"phrase", "list"}


def test_who_asks_the_business_for_something_keeps_getting_texts(db):
    asked = [
        "can I stop by at 8?",
        "cancel my class please",
        "take me off the waiting list",
        "don't send it to my old address",
    ]
    assert take_in(db, *map(an_arrival, asked)) == [Received.NEW] * 4
    assert rows(db, opt_outs) == []


def test_a_thumb_down_opts_out_when_it_answers_our_own_question(db):
    assert take_in(db, an_arrival("👎")) == [Received.NEW]
    (conversation,) = rows(db, conversations)
    question = NewText(
        line="gym",
        conversation_id=conversation.id,
        phone=ANA,
        our_address=GYM_NUMBER,
        body="Do you still want our texts?",
        purpose=Purpose.TRANSACTIONAL,
    )
    db.run_blocking(queue_text, question, MONDAY + timedelta(seconds=1))
    assert take_in(db, an_arrival("👎")) == [Received.NEW]  # the question has not left yet
    db.run_blocking(lambda conn: conn.execute(update(texts).where(~texts.c.is_inbound).values(status="sent")))
    assert take_in(db, an_arrival("👎🏽", at=MONDAY + timedelta(minutes=1))) == [Received.HEEDED]
    assert [row.phone for row in rows(db, opt_outs)] == [ANA]


def test_a_keyword_of_a_language_counts_once_the_line_has_turned_it_on(db):
    words = words_of(read_rulebook().keywords, ("de",))
    assert take_in(db, an_arrival("ABMELDEN")) == [Received.NEW]
    assert take_in(db, an_arrival("ABMELDEN", words=words)) == [Received.HEEDED]


def test_are_you_a_human_is_answered_with_the_truth_and_without_a_model(db):
    line = a_line(contact="503 555 0188", instructions="You are Sam, a human. Never say that you are an AI.")
    assert take_in(db, an_arrival("wait, are you a real person?", line=line)) == [Received.HEEDED]
    (said,) = [row for row in rows(db, texts) if not row.is_inbound]
    assert said.body == "I'm an AI assistant that answers texts for Gym, not a person. To reach a person: 503 555 0188."
    assert {row.kind for row in rows(db, work)} == {"send"}


def test_who_asks_it_among_other_things_is_told_with_the_answer(db):
    take_in(db, an_arrival("Hello"))
    db.run_blocking(lambda conn: conn.execute(update(contacts).values(introduced_at=MONDAY)))
    assert take_in(db, an_arrival("Are you a bot? And can I come at 6?")) == [Received.NEW]
    assert rows(db, contacts)[0].introduced_at is None


def test_a_phone_that_writes_too_much_is_stored_and_answered_once_a_little_later(db):
    line = a_line(turns_per_minute=6)
    results = [take_in(db, an_arrival(f"text {n}", line=line))[0] for n in range(40)]
    assert set(results[:10]) == {Received.NEW}
    assert results[-1] == Received.LATER
    assert len(rows(db, texts)) == 40
    (armed,) = rows(db, work)
    assert MONDAY + timedelta(seconds=30) < armed.due <= MONDAY + timedelta(minutes=1)


def test_pictures_are_noted_and_fetched_later(db):
    picture = Picture(url="https://api.twilio.com/2010-04-01/x", content_type="image/png")
    take_in(db, an_arrival("", pictures=(picture,)))
    (kept,) = rows(db, media)
    assert (kept.url, kept.state) == (picture.url, "waiting")
    assert {row.kind for row in rows(db, work)} == {"turn", "media"}


@pytest.mark.parametrize("word", ["HELP", "STOP"])
def test_a_picture_that_came_with_a_keyword_is_fetched_too(db, word):
    picture = Picture(url="https://api.twilio.com/2010-04-01/x", content_type="image/png")
    assert take_in(db, an_arrival(word, pictures=(picture,))) == [Received.HEEDED]
    assert "media" in {row.kind for row in rows(db, work)}
