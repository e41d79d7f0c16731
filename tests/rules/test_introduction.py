"""The first text to a person says who texts, how to stop, and that an AI writes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.rules.facts import Purpose
from replyline.rules.introduction import AGAIN_AFTER, introduced, is_due, one_way

NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)


def first(body="See you at six.", country="US", name="Gym"):
    return introduced(body, name=name, country=country, is_first=True)


def test_the_first_text_says_who_texts_how_to_stop_the_rates_and_that_an_ai_answers():
    assert first() == (
        "See you at six.\n"
        "Gym: an AI assistant answers here. Reply HELP for help, STOP to opt out. Msg & data rates may apply."
    )


def test_rates_are_named_where_carriers_ask_for_it():
    assert "rates" in first(country="CA")
    assert "rates" not in first(country="DE")


def test_a_name_that_is_there_is_not_said_twice():
    assert first("Welcome to gym!").count("Gym") == 0
    assert "\nAn AI assistant" in first("Welcome to gym!")


def test_a_shorter_wording_is_taken_where_it_saves_a_segment():
    body = "x" * 75
    assert measure(first(body)).segments == 1
    assert "AI assistant. HELP for help, STOP to opt out." in first(body)
    assert measure(first("x" * 159)).segments == 2
    assert "Reply HELP for help" in first("x" * 159)


def test_a_picture_without_words_is_introduced_too():
    assert first("").startswith("Gym: an AI")


def test_later_only_the_ai_is_said_and_in_the_length_there_is():
    assert introduced("Yes.", name="Gym", country="US", is_first=False) == "Yes.\n(AI assistant of Gym)"
    assert introduced("x" * 140, name="Gym", country="US", is_first=False).endswith("(AI assistant)")


@given(st.text(max_size=LONGEST_BODY), st.booleans(), st.sampled_from(["US", "DE", None]))
def test_what_was_to_be_said_is_said_and_twilio_can_carry_it(body, is_first, country):
    whole = introduced(body, name="Gym", country=country, is_first=is_first)
    assert whole.startswith(body)
    assert len(whole) <= LONGEST_BODY


@pytest.mark.parametrize("purpose", Purpose)
def test_texts_about_opting_in_and_out_help_and_an_emergency_are_left_as_they_are(purpose):
    as_they_are = {Purpose.OPT_IN, Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY, Purpose.EMERGENCY}
    assert is_due(purpose, None, NOW) is (purpose not in as_they_are)


def test_it_is_said_once_a_day():
    reply = Purpose.CONVERSATIONAL_REPLY
    assert is_due(reply, None, NOW)
    assert not is_due(reply, NOW - AGAIN_AFTER + timedelta(seconds=1), NOW)
    assert is_due(reply, NOW - AGAIN_AFTER, NOW)


def test_where_nobody_can_reply_the_introduction_asks_nobody_to():
    body = introduced("See you at six.", name="Gym", country="AE", is_first=True, can_reply=False)
    assert body == "See you at six.\nGym: this text is automated."


def test_where_nobody_can_reply_each_text_says_how_else_to_opt_out():
    assert one_way("Half price!", "a@b.test") == "Half price!\nNo replies here. To get no more texts: a@b.test"
    assert one_way("x" * 130, "a@b.test") == "x" * 130 + "\nTo opt out: a@b.test"
    assert one_way("To opt out write to a@b.test", "a@b.test") == "To opt out write to a@b.test"
