import pytest

from replyline.outbound.choose_sender import From, choose_sender, senders_of
from replyline.outbound.queue import UnsendableText
from replyline.plugins.senders import Sender
from tests.support.cast import a_line

PORTLAND, LONDON_PHONE, TOKYO_PHONE = "+15035550142", "+447400123456", "+819012345678"
SERVICE = "MG" + "0" * 31 + "1"
US, UK, NAME, POOL = Sender("+14155550100"), Sender("+447400111222"), Sender("ACME"), Sender(SERVICE)
NO_MMS = Sender("+14155550100", mms=False)


@pytest.mark.parametrize(
    ("senders", "phone", "given", "chosen"),
    [
        ([UK, US], PORTLAND, {}, From(our_address=US.address)),
        ([US, UK], LONDON_PHONE, {}, From(our_address=UK.address)),
        ([US, NAME], LONDON_PHONE, {}, From(our_address="ACME")),
        ([US, POOL], TOKYO_PHONE, {}, From(our_address=SERVICE, messaging_service_sid=SERVICE)),
        ([POOL, US], PORTLAND, {}, From(our_address=US.address)),
        # A number of their own country comes before one that only may text there, and before a name.
        ([Sender("+14155550100", countries=["US", "GB"]), NAME, UK], LONDON_PHONE, {}, From(our_address=UK.address)),
        # What they know us by stays, though another would do.
        (
            [US, Sender("+14155550177")],
            PORTLAND,
            {"last": From(our_address="+14155550177")},
            From(our_address="+14155550177"),
        ),
        # But not a number that the line has given up.
        ([US], PORTLAND, {"last": From(our_address="+14155550199")}, From(our_address=US.address)),
        # The number of the pool they talked to, by its service.
        (
            [POOL],
            PORTLAND,
            {"last": From(our_address="+14155550123", messaging_service_sid=SERVICE)},
            From(our_address="+14155550123", messaging_service_sid=SERVICE),
        ),
        ([NO_MMS, POOL], PORTLAND, {"has_pictures": True}, From(our_address=SERVICE, messaging_service_sid=SERVICE)),
    ],
)
def test_a_text_we_begin_leaves_from_what_suits_its_reader_best(senders, phone, given, chosen):
    assert choose_sender(senders, phone, **given) == chosen


def test_a_number_and_a_service_that_the_settings_name_remember_which_number_of_the_pool_somebody_knows():
    senders = senders_of(a_line(), number=US.address, service=SERVICE)
    first = From(our_address=US.address, messaging_service_sid=SERVICE)
    known = From(our_address="+14155550123", messaging_service_sid=SERVICE)
    assert choose_sender(senders, PORTLAND) == first
    assert choose_sender(senders, PORTLAND, last=known) == known


@pytest.mark.parametrize(
    ("senders", "phone", "given", "says"),
    [
        ([], PORTLAND, {}, "set TWILIO_PHONE_NUMBER"),
        ([US], LONDON_PHONE, {}, "No sender of the line is for GB"),
        ([UK], LONDON_PHONE, {"has_pictures": True}, "send a link instead"),
        ([NO_MMS], PORTLAND, {"has_pictures": True}, "can send pictures"),
    ],
)
def test_when_nothing_can_carry_it_the_sentence_says_what_is_missing(senders, phone, given, says):
    with pytest.raises(UnsendableText, match=says) as refused:
        choose_sender(senders, phone, **given)
    assert phone not in str(refused.value)
