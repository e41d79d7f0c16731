from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.graphemes import graphemes
from replyline.conversations.segments import GSM_7_BASIC, GSM_7_EXTENSION, Encoding, fits, measure

GSM_7, UCS_2 = Encoding.GSM_7, Encoding.UCS_2
FAMILY = "👨‍👩‍👧‍👦"  # 11 units, one cluster


@pytest.mark.parametrize(
    ("body", "encoding", "units", "segments"),
    [
        ("", GSM_7, 0, 1),
        ("a" * 160, GSM_7, 160, 1),
        ("a" * 161, GSM_7, 161, 2),
        ("a" * 306, GSM_7, 306, 2),
        ("a" * 307, GSM_7, 307, 3),
        ("a" * 1600, GSM_7, 1600, 11),
        ("€" + "a" * 158, GSM_7, 160, 1),
        ("€" + "a" * 159, GSM_7, 161, 2),
        ("a" * 152 + "€" + "a" * 151, GSM_7, 305, 2),
        ("a" * 152 + "€" + "a" * 152, GSM_7, 306, 3),  # the pair would be split, so the first part stays short
        ("a" * 151 + "€" + "a" * 153, GSM_7, 306, 2),
        ("[" * 80, GSM_7, 160, 1),
        ("[" * 152, GSM_7, 304, 2),  # 76 pairs and an empty septet in each part
        ("[" * 153, GSM_7, 306, 3),
        ("\r\n" * 80, GSM_7, 160, 1),
        ("é" * 160, GSM_7, 160, 1),
        ("👋" + "a" * 68, UCS_2, 70, 1),
        ("👋" + "a" * 69, UCS_2, 71, 2),
        ("👋" + "a" * 133, UCS_2, 135, 3),
        ("á" * 70, UCS_2, 70, 1),
        ("я" * 134, UCS_2, 134, 2),
        ("я" * 135, UCS_2, 135, 3),
        ("я" * 1600, UCS_2, 1600, 24),
        ("[" * 70 + "`", UCS_2, 71, 2),  # extension characters take one unit in UCS-2
        ("я" * 66 + "👋" + "я" * 66, UCS_2, 134, 3),  # the pair is kept whole
        ("я" * 60 + FAMILY + "я" * 63, UCS_2, 134, 3),
        ("я" * 66 + "\r\n" + "я" * 66, UCS_2, 134, 2),  # CR LF may be parted
        ("я" * 66 + "e\u0301" + "я" * 66, UCS_2, 134, 3),
        ("e" + "\u0301" * 200, UCS_2, 201, 3),  # more than a part: torn in spite of all
    ],
)
def test_a_text_is_counted_as_twilio_counts_it(body, encoding, units, segments):
    size = measure(body)
    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)


@pytest.mark.parametrize("character", "`\táíóúÁÍÓÚç“”‘’—–…\u00a0👋")
def test_one_character_outside_the_set_changes_the_whole_text(character):
    assert measure("a" * 10 + character).encoding is UCS_2


def test_the_basic_set_has_127_characters():
    assert len(set(GSM_7_BASIC)) == 127
    assert len(set(GSM_7_EXTENSION)) == 10
    assert measure(GSM_7_BASIC).units == 127
    assert measure(GSM_7_EXTENSION).units == 20


def test_fitting_is_a_matter_of_segments():
    assert fits("a" * 306, 2)
    assert not fits("a" * 307, 2)


@pytest.mark.parametrize(
    "cluster",
    ["👋", "👋🏽", FAMILY, "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "❤️", "🏳️‍🌈", "🤷🏻‍♀️", "e\u0301", "ñ", "\r\n", "한", "ค่ำ", "क्", "שָׁ"],
)
def test_what_a_reader_sees_as_one_character_stays_whole(cluster):
    assert graphemes(f"a{cluster}b{cluster}{cluster}") == ["a", cluster, "b", cluster, cluster]


def test_flags_side_by_side_are_two():
    assert graphemes("🇩🇪🇫🇷🇺") == ["🇩🇪", "🇫🇷", "🇺"]


@given(st.text())
def test_clusters_make_the_text_again(text):
    assert "".join(graphemes(text)) == text


@given(st.text(st.sampled_from("aé€[]я👋🏽🇩🇪\u200d\u0301\r\n"), max_size=400))
def test_the_parts_hold_all_the_units_and_waste_little(body):
    size = measure(body)
    alone, joined = (160, 153) if size.encoding is GSM_7 else (70, 67)
    if size.units <= alone:
        assert size.segments == 1
    else:
        assert size.segments >= ceil(size.units / joined)


@given(st.text(st.sampled_from(GSM_7_BASIC + GSM_7_EXTENSION), max_size=700))
def test_walking_gsm_7_character_by_character_gives_the_same_parts(body):
    parts, room = 1, 153
    for character in body:
        cost = 2 if character in GSM_7_EXTENSION else 1
        if cost > room:
            parts, room = parts + 1, 153
        room -= cost
    size = measure(body)
    assert size.segments == (1 if size.units <= 160 else parts)
