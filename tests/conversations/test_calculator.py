"""Against Twilio's own calculator: its published cases, and 2,500 random texts with the answers it gave."""

import pytest
from tests.conversations.calculator.texts import HOW_MANY, SEED, digest, ours, recorded, texts

from replyline.conversations.segments import GSM_7_EXTENSION, measure, split
from replyline.conversations.smart_encoding import TWILIO, smart_encoded


def digits(last: int, first: int = 1) -> str:
    """1234567890123..., as its cases are written."""
    return "".join(str(number % 10) for number in range(first, last + 1))


# tests/index.test.js of github TwilioDevEd/message-segment-calculator at a50230f: what goes in, and its numbers. Bits in
# all are those of the text and 48 for the header of each part, when there are several.
CASES = [
    (digits(160), "GSM-7", 1, 1120, 1120),
    (digits(161), "GSM-7", 2, 1127, 1223),
    (digits(307), "GSM-7", 3, 2149, 2293),
    ("😜" + digits(69, 2), "UCS-2", 1, 1120, 1120),
    ("😜" + digits(70, 2), "UCS-2", 2, 1136, 1232),
    ("😜" + digits(134, 2), "UCS-2", 3, 2160, 2304),
    ("🇮🇹" + digits(67, 2), "UCS-2", 1, 1120, 1120),
    ("🇮🇹" + digits(68, 2), "UCS-2", 2, 1136, 1232),
    ("🏳️‍🌈" + digits(65, 2), "UCS-2", 1, 1120, 1120),
    ("🏳️‍🌈" + digits(66, 2), "UCS-2", 2, 1136, 1232),
    *[(each + digits(158), "GSM-7", 1, 1120, 1120) for each in "|^€{}[]~\\"],
    *[(each + digits(159), "GSM-7", 2, 1127, 1223) for each in "|^€{}[]~\\"],
    *[(each * 70, "UCS-2", 1, 1120, 1120) for each in "ÁÚúçíÍóÓ"],
    *[(each * 71, "UCS-2", 2, 1136, 1232) for each in "ÁÚúçíÍóÓ"],
    ("😀" + "]" * 68, "UCS-2", 1, 1120, 1120),
    ("😀" + "]" * 69, "UCS-2", 2, 1136, 1232),
    ("\rabcde\r\n123", "GSM-7", 1, 77, 77),
    ("\nabcde\n\n123\n", "GSM-7", 1, 84, 84),
    ("e\u0301\u0301\u0301" + "a" * 66, "UCS-2", 1, 1120, 1120),
    ("e\u0301\u0301\u0301" + "a" * 67, "UCS-2", 2, 1136, 1232),
]


@pytest.mark.parametrize(("body", "encoding", "segments", "bits", "bits_in_all"), CASES)
def test_the_calculators_published_cases(body, encoding, segments, bits, bits_in_all):
    size = measure(body)
    of_text = size.units * (7 if size.encoding == "GSM-7" else 16)
    of_headers = 48 * size.segments if size.segments > 1 else 0
    assert (size.encoding, size.segments, of_text, of_text + of_headers) == (encoding, segments, bits, bits_in_all)


@pytest.mark.parametrize(("body", "third"), [(digits(307), "7"), ("😜" + digits(134, 2), "4")])
def test_the_last_character_stands_alone_in_the_third_part(body, third):
    assert split(body)[2:] == [third]


def test_it_has_nine_of_the_ten_escaped_characters_and_the_form_feed_is_the_tenth():
    assert set(GSM_7_EXTENSION) - set("|^€{}[]~\\") == {"\f"}


@pytest.fixture(scope="module")
def bodies():
    return texts(SEED, HOW_MANY)


def test_the_recorded_answers_are_about_these_texts(bodies):
    about, answers = recorded()
    assert digest(bodies) == about
    assert len(answers) == len(bodies) == 2500


def test_random_texts_break_where_the_calculator_breaks_them(bodies):
    _, answers = recorded()
    differ = [(body, said) for body, (said, _) in zip(bodies, answers, strict=True) if ours(body) != said]
    assert not differ


def test_random_texts_with_smart_encoding_break_where_the_calculator_breaks_them(bodies):
    _, answers = recorded()
    differ = [
        (body, said) for body, (_, said) in zip(bodies, answers, strict=True) if ours(smart_encoded(body)) != said
    ]
    assert not differ


def test_the_random_texts_are_of_every_kind(bodies):
    sizes = [measure(body) for body in bodies]
    assert {size.encoding for size in sizes} == {"GSM-7", "UCS-2"}
    assert {size.segments for size in sizes} >= set(range(1, 20))
    assert sum(split(body) != fixed(body) for body in bodies) > 200, "Few have a part that stays short to keep a pair."


def fixed(body: str) -> list[str]:
    """Parts of one length each, with no thought of pairs."""
    joined = 153 if measure(body).encoding == "GSM-7" else 67
    return [body[start : start + joined] for start in range(0, len(body), joined)]


@pytest.mark.parametrize(
    ("found", "by"),
    [("’", "'"), ("“", '"'), ("…", "..."), ("\t", " " * 7), ("\u00a0", "  "), ("½", "1/2"), ("‹", "<"), ("ʜ", "H")],
)
def test_smart_encoding_is_twilios(found, by):
    assert smart_encoded(f"a{found}b") == f"a{by}b"


def test_smart_encoding_leaves_what_gsm_7_has():
    assert not [character for character in TWILIO if measure(character).encoding == "GSM-7"]


# Where we differ from the calculator (npm 1.3.0), and why we are right: no part holds more than 67 units, and what
# Unicode has named a mark since its version 10, or a skin tone since version 11, is one now (UAX 29).
@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("e" + "\u0301" * 200, [67, 67, 67]),  # the calculator: an empty part, and one of 201 units
        ("я" * 10 + "e" + "\u0301" * 59 + "x" + "\u0301" * 19, [10, 60, 20]),  # the calculator: 10 and 80
        ("я" * 66 + "a\u08d3" + "я" * 66, [66, 67, 1]),  # an Arabic mark of Unicode 11; the calculator: 67 and 67
        ("я" * 65 + "a🏽" + "я" * 66, [65, 66, 2]),  # the calculator: the tone begins the second part
    ],
)
def test_where_the_calculator_is_left_behind(body, parts):
    assert [len(part) for part in split(body)] == parts
