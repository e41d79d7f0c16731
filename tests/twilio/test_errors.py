import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.twilio.errors import Action, Retry, Stage, meaning_of, table


@pytest.mark.parametrize(
    ("code", "stage", "retryable", "action"),
    [
        (20429, Stage.REST, Retry.YES, Action.BACKOFF),
        (21211, Stage.REST, Retry.NO, Action.MARK_INVALID_NUMBER),
        (21610, Stage.REST, Retry.NO, Action.MARK_OPTED_OUT),
        (21614, Stage.REST, Retry.NO, Action.MARK_LANDLINE),
        (30003, Stage.DELIVERY, Retry.LATER, Action.RETRY_LATER),
        (30034, Stage.DELIVERY, Retry.NO, Action.ALERT_OPERATOR),
    ],
)
def test_a_code_says_what_to_do(code, stage, retryable, action):
    found = meaning_of(code)
    assert (found.stage, found.retryable, found.action) == (stage, retryable, action)
    assert found.name
    assert found.meaning


@pytest.mark.parametrize(
    ("status", "retryable", "action"),
    [
        ({"http_status": 429}, Retry.YES, Action.BACKOFF),
        ({"http_status": 503}, Retry.LATER, Action.RETRY_LATER),
        ({"http_status": 401}, Retry.NO, Action.ALERT_OPERATOR),
        ({"http_status": 400}, Retry.NO, Action.FIX_REQUEST),
        ({"message_status": "failed"}, Retry.NO, Action.ALERT_OPERATOR),
        ({"message_status": "undelivered"}, Retry.NO, Action.NONE),
        ({}, Retry.NO, Action.FIX_REQUEST),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status, retryable, action):
    found = meaning_of(999_999, **status)
    assert (found.retryable, found.action) == (retryable, action)
    assert "999999" in found.name


def test_the_whole_dictionary_is_packaged():
    assert len(table()) == 457


@given(st.integers())
def test_no_code_is_a_surprise(code):
    assert meaning_of(code).code == code
