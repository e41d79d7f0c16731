"""Whether a message in Twilio's list is a text of ours."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from replyline.outbound.likeness import could_be, is_same_body
from replyline.twilio.client import Message
from tests.support.cast import ANA, BRUNO, GYM_NUMBER, MONDAY, a_sid

SERVICE = "MG" + "1" * 32


@pytest.mark.parametrize(
    "theirs",
    [
        "You're booked – see you at 6…",  # as we sent it
        "You're booked - see you at 6...",  # smart encoding
        "You\u2019re booked\u00a0–  see you at 6\u2026 ",
        "Sent from your Twilio trial account - You're booked – see you at 6…",
        "",  # redacted
    ],
)
def test_a_body_is_recognised_however_twilio_writes_it(theirs):
    assert is_same_body(theirs, "You're booked – see you at 6…")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("See you at 7", "See you at 6"),
        ("It is $5", "It is €5"),
        ("👍", "👎"),
        ("OK", "OK then"),
        ("I said OK", "OK"),
        ("?", "!"),
        ("You are booked", "You are not booked"),
        ("Sent from your Twilio trial account - I said OK", "OK"),
    ],
)
def test_another_text_is_not_taken_for_ours(theirs, ours):
    assert not is_same_body(theirs, ours)


def a_message(**given):
    known = {
        "sid": a_sid(),
        "status": "sent",
        "body": "OK",
        "sender": GYM_NUMBER,
        "to": ANA,
        "created_at": MONDAY,
        "direction": "outbound-api",
        "error_code": None,
        "segments": 1,
        "messaging_service_sid": None,
    }
    return Message(**known | given)


def a_row(**given):
    return SimpleNamespace(
        **{"body": "OK", "phone": ANA, "our_address": GYM_NUMBER, "messaging_service_sid": None, "media": None} | given
    )


@pytest.mark.parametrize(
    ("message", "row", "is_ours"),
    [
        ({}, {}, True),
        ({"created_at": MONDAY - timedelta(minutes=14)}, {}, True),  # our clock is ahead of Twilio's
        ({"created_at": MONDAY - timedelta(minutes=16)}, {}, False),
        ({"direction": "inbound"}, {}, False),
        ({"direction": "outbound-reply"}, {}, False),  # TwiML: the apology of our fallback
        ({"to": BRUNO}, {}, False),
        ({"sender": "+14155550199"}, {}, False),
        ({"sender": None}, {}, False),  # only a messaging service has not chosen yet
        ({"sender": None, "messaging_service_sid": SERVICE}, {"messaging_service_sid": SERVICE}, True),
        ({"sender": "+14155550199", "messaging_service_sid": SERVICE}, {"messaging_service_sid": SERVICE}, True),
        ({"messaging_service_sid": "MG" + "2" * 32}, {"messaging_service_sid": SERVICE}, False),
        ({"body": "", "media": 1}, {}, False),  # pictures alone
        ({"body": "", "media": 1}, {"media": [{"url": "https://example.com/map.png"}]}, True),  # redacted
        ({"to": "+525512345678"}, {"phone": "+5215512345678"}, True),
        ({"to": "+5491123456789"}, {"phone": "+541123456789"}, True),
    ],
)
def test_who_from_where_and_when_has_to_fit(message, row, is_ours):
    assert could_be(a_message(**message), a_row(**row), MONDAY) is is_ours
