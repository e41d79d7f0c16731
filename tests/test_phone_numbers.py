import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.phone_numbers import NotAPhoneNumber, SenderKind, country_of, masked, parse_e164, sender_kind


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("+1 415 555 0123", None, "+14155550123"),
        ("(415) 555-0123", "US", "+14155550123"),
        ("07911 123456", "GB", "+447911123456"),
        ("+1 357 555 0100", None, "+13575550100"),  # an area code opened after the library's tables
    ],
)
def test_a_number_is_read_however_it_is_written(written, country, number):
    assert parse_e164(written, country) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("hello", "not a phone number"),
        ("", "not a phone number"),
        ("4155550123", "country code"),
        ("+1415", "too short"),
        ("+141555501234567", "too long"),
    ],
)
def test_what_is_no_number_is_refused_with_a_sentence(written, reason):
    with pytest.raises(NotAPhoneNumber, match=reason):
        parse_e164(written, "US" if written == "hello" else None)


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("+14155550123", "US"),
        ("+14165550123", "CA"),
        ("+12425550100", "BS"),  # +1, and neither the US nor cheap
        ("+77012345678", "KZ"),
        ("+79123456789", "RU"),
        ("whatsapp:+14155550123", "US"),
        ("+88213123456", None),  # a satellite network belongs to no country
        ("+13575550100", None),
        ("24273", None),
        ("ACME", None),
        ("", None),
    ],
)
def test_the_country_of_a_number_is_known_by_its_prefix(address, country):
    assert country_of(address) == country


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+14155551234", "+1415***1234"),
        ("+447911123456", "+4479***3456"),
        ("+3725551234", "+37***34"),
        ("whatsapp:+14155551234", "whatsapp:+1415***1234"),
        ("+14155551234:", "***:***"),
        ("+14155551234:1:+14155551234", "***:+1415***1234"),
        ("24273", "***73"),
        ("911", "***"),
        ("", "***"),
    ],
)
def test_a_masked_number_still_tells_people_apart(address, shown):
    assert masked(address) == shown


@given(st.from_regex(r"\+[1-9]\d{6,14}", fullmatch=True))
def test_masking_hides_at_least_three_digits(number):
    assert len(masked(number).replace("***", "")) <= len(number) - 3


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("+14155550123", SenderKind.LONG_CODE),
        ("+447911123456", SenderKind.LONG_CODE),
        ("+18885550123", SenderKind.TOLL_FREE),
        ("+448005550123", SenderKind.LONG_CODE),
        ("24273", SenderKind.SHORT_CODE),
        ("ACME", SenderKind.ALPHANUMERIC),
        ("7ELEVEN", SenderKind.ALPHANUMERIC),
        ("MG" + "0a" * 16, SenderKind.MESSAGING_SERVICE),
        ("whatsapp:+14155550123", SenderKind.CHANNEL),
    ],
)
def test_a_sender_is_known_by_its_form(address, kind):
    assert sender_kind(address) is kind
