import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.delivery import NEXT, TWILIO_WORDS, Status, advance, from_twilio, is_final

OPEN = [Status.QUEUED, Status.SENDING, Status.UNKNOWN, Status.SENT]
ENDS = ["delivered", "undelivered", "failed", "canceled"]
ON_THE_WAY = ["accepted", "scheduled", "queued", "sending", "sent"]
RANK = {Status.QUEUED: 0, Status.SENDING: 1, Status.UNKNOWN: 2, Status.SENT: 3}


@pytest.mark.parametrize(
    ("current", "word", "after"),
    [
        (Status.SENDING, "queued", Status.SENT),
        (Status.SENDING, "delivered", Status.DELIVERED),  # the report overtook our own commit
        (Status.UNKNOWN, "accepted", Status.SENT),
        (Status.UNKNOWN, "failed", Status.FAILED),
        (Status.SENT, "sent", Status.SENT),
        (Status.SENT, "undelivered", Status.UNDELIVERED),
        (Status.DELIVERED, "sent", Status.DELIVERED),
        (Status.DELIVERED, "read", Status.DELIVERED),
        (Status.FAILED, "delivered", Status.FAILED),
        (Status.QUEUED, "sent", Status.SENT),  # Twilio has it after all: sending it again would make two
        (Status.EXPIRED, "sent", Status.EXPIRED),
        (Status.SENT, "received", Status.SENT),
    ],
)
def test_a_report_moves_a_text_only_forward(current, word, after):
    reported = from_twilio(word)
    assert reported is not None
    assert advance(current, reported) is after


def test_a_word_twilio_has_not_used_before_means_nothing_yet():
    assert from_twilio("teleported") is None
    assert from_twilio("") is None


def test_every_status_has_a_place_in_the_table():
    assert set(NEXT) == set(Status)
    assert {status for status in Status if not is_final(status)} == set(OPEN)


def test_only_we_put_a_text_back_in_the_queue():
    assert advance(Status.UNKNOWN, Status.QUEUED) is Status.UNKNOWN
    assert Status.QUEUED in NEXT[Status.UNKNOWN]


@given(data=st.data(), start=st.sampled_from(OPEN), end=st.sampled_from(ENDS))
def test_any_order_of_the_same_reports_ends_the_same(data, start, end):
    words = data.draw(st.lists(st.sampled_from([*ON_THE_WAY, end]), max_size=8))
    shuffled = data.draw(st.permutations(words))
    assert after_all(start, words) is after_all(start, shuffled)
    assert after_all(start, words + words) is after_all(start, words)


@given(current=st.sampled_from(Status), reported=st.sampled_from(Status))
def test_a_report_never_takes_a_text_back(current, reported):
    after = advance(current, reported)
    assert after is current or (not is_final(current) and RANK.get(after, 4) > RANK[current])


@given(words=st.lists(st.sampled_from(sorted(TWILIO_WORDS)), max_size=8), end=st.sampled_from(ENDS))
def test_nothing_leaves_an_end(words, end):
    final = Status(end)
    assert after_all(final, words) is final


def after_all(status: Status, words: list[str]) -> Status:
    for word in words:
        reported = from_twilio(word)
        assert reported is not None
        status = advance(status, reported)
    return status
