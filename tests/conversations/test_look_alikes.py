import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.look_alikes import (
    LOOK_ALIKES,
    Replacement,
    replacements_in,
    smart,
    with_replacements,
    worthwhile,
)
from replyline.conversations.segments import Encoding, measure
from replyline.conversations.smart_encoding import smart_encoded
from replyline.turns import look_alikes as straight

LONG = " and that is all there is to say about it for today, thank you"


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        ("“Hi” – it’s ‘Ana’… «sí, ‹no›» „ja‟", '"Hi" - it\'s \'Ana\'... "sí, \'no\'" "ja"'),
        ("yes—come", "yes - come"),
        ("9–5 −3 a‑b", "9-5 -3 a-b"),
        ("1½ cups, ½ price, 5⅓", "1 1/2 cups, 1/2 price, 5 1/3"),
        ("20 m² and 10²", "20 m2 and 10²"),
        ("2 × 3 → 6 ≤ 7", "2 x 3 -> 6 <= 7"),
        ("Acme™ ©️ №5", "Acme(TM) (C) No.5"),
        ("a\u00a0b\u2009c\td", "a b c d"),
        ("one\u2028two", "one\ntwo"),
        ("\u202a+15551234567\u202c", "+15551234567"),
        ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
        ("Cafe\u0301", "Café"),  # as Macs write it: two characters, of which GSM-7 lacks one
        ("𝐛𝐨𝐥𝐝 𝘪𝘵𝘢𝘭𝘪𝘤 ＳＡＬＥ ｓａｌｅ ﬁn Ⅷ", "bold italic SALE sale fin VIII"),
        ("ΚΑΛΗΜΕΡΑ", "KAΛHMEPA"),
        ("Раypal", "Paypal"),
        ("100 \u212a, 5 \u2126", "100 K, 5 Ω"),
    ],
)
def test_it_looks_the_same_and_means_the_same(body, plain):
    assert with_replacements(body, replacements_in(body)) == plain


@pytest.mark.parametrize(
    "body", ["á ç ő", "рад", "Привет", "x\u0338", "a\u0302\u0338", "ǃnoun", "10²", "漢字", "👋", "20°"]
)
def test_letters_and_signs_with_a_meaning_of_their_own_stay(body):
    composed = [each for each in replacements_in(body) if len(each.found) == 1]
    assert composed == []


@pytest.mark.parametrize(
    ("body", "twilio"),
    [
        ("1½", "11/2"),
        ("a\u00a0b", "a  b"),
        ("a\tb", "a       b"),
        ("‹so›", "<so>"),
        ("a\u2028b", "a b"),
        ("man\u0303ana", "man~ana"),
        ("‚so‘", ",so'"),
    ],
)
def test_where_ours_keeps_a_meaning_that_twilios_loses(body, twilio):
    assert smart_encoded(body) == twilio
    assert with_replacements(body, replacements_in(body)) != twilio


def test_every_replacement_says_where_and_what():
    assert replacements_in("It’s 1½") == [
        Replacement(at=2, found="’", by="'"),
        Replacement(at=6, found="½", by=" 1/2"),
    ]


def test_it_has_all_that_replies_are_cleaned_of():
    cleaned = {chr(code): plain for code, plain in straight.LOOK_ALIKES.items()}
    differ = {each for each, plain in cleaned.items() if LOOK_ALIKES.get(each, each) != plain}
    assert differ == set()


def test_what_saves_no_segment_is_not_replaced():
    assert worthwhile("It’s") == []
    assert smart("It’s") == "It’s"
    assert smart("It’s" + LONG + " – see you") == "It's" + LONG + " - see you"


def test_a_text_that_stays_in_ucs_2_keeps_its_look():
    family = "👨‍👩‍👧‍👦 it’s “us”…" + LONG * 2
    assert smart(family) == family


def test_letters_are_put_together_even_in_ucs_2():
    assert smart("и\u0306" * 40) == "й" * 40


@pytest.mark.parametrize(("character", "plain"), LOOK_ALIKES.items(), ids=lambda each: f"{[*map(ord, each)]}")
def test_what_stands_for_a_character_is_in_gsm_7(character, plain):
    assert measure(character).encoding is Encoding.UCS_2
    assert measure(plain).encoding is Encoding.GSM_7


@given(st.text(st.sampled_from("abm ²½…’—\u00a0é\u0301\u0338РуАΑ👨\u200d👩я\t") | st.characters(), max_size=200))
def test_smart_never_takes_more_segments_and_is_done_at_once(body):
    found = replacements_in(body)
    assert all(body[each.at :].startswith(each.found) for each in found)
    once = smart(body)
    assert measure(once).segments <= measure(body).segments
    assert smart(once) == once
