from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.twilio.form import parse_form

# Bytes a form is made of, and some it should not be made of.
RAW = st.lists(
    st.sampled_from(
        [b"&", b"=", b"+", b"%", b"%2B", b"%26", b"%c3%A9", b"%F0%9F%91%8B", b"%ff", b"a", b" ", b"\xc3", b"\xa9"]
    )
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", []),
        (b"Body=Hi+%2B+bye", [("Body", "Hi + bye")]),
        (b"ToCity=&Body=", [("ToCity", ""), ("Body", "")]),
        (b"Body", [("Body", "")]),
        (b"Digits=1&Digits=2&Digits=1", [("Digits", "1"), ("Digits", "2"), ("Digits", "1")]),
        (b"Body=a=b&&To=1", [("Body", "a=b"), ("To", "1")]),
        (b"Body=%F0%9F%91%8B", [("Body", "👋")]),
        (b"Body=%ff%zz%2", [("Body", "\ufffd%zz%2")]),
        (b"Body=caf\xc3\xa9", [("Body", "café")]),
        (b"%42ody=x;y", [("Body", "x;y")]),
    ],
)
def test_a_form_is_decoded(body, fields):
    assert parse_form(body) == fields


@given(RAW)
def test_any_bytes_are_read_as_the_standard_library_reads_them(body):
    assert parse_form(body) == parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
