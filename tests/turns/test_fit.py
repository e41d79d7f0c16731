import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.graphemes import graphemes
from replyline.conversations.segments import LONGEST_BODY, fits
from replyline.turns.fit import cut, problem

FIRST = "We have yoga at 6 pm with Dr. Bruno and pilates at 7 pm with Cleo, both in the large room upstairs."
SECOND = "Please bring a towel, some water and shoes that have not been outside, and come ten minutes early."


def test_a_text_that_fits_has_no_problem():
    assert problem("See you at 6!", 1) is None
    assert cut("See you at 6!", 1) == "See you at 6!"


@pytest.mark.parametrize("body", ["", " \n"])
def test_an_empty_reply_is_a_problem(body):
    assert "empty" in problem(body, 2)


def test_a_long_reply_is_told_how_much_room_there_is():
    said = problem("a" * 500, 2)
    assert "500 characters" in said
    assert "room for 306" in said
    assert "emoji" not in said


def test_a_long_reply_with_emoji_is_told_what_they_cost():
    said = problem("😊" + "a" * 200, 1)
    assert "room for 70" in said
    assert "emoji" in said


def test_a_body_twilio_would_refuse_is_too_long_however_many_segments_are_allowed():
    assert problem("a" * 1601, 40) is not None
    assert len(cut("a" * 1601, 40)) == LONGEST_BODY


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (f"{FIRST} {SECOND}", FIRST),
        (f"{FIRST}\n{SECOND}", FIRST),
        (f"Hi Ana! {'very ' * 40}long.", "Hi Ana! " + "very " * 29 + "very..."),
        ("Our classes:\n1. Yoga with Bruno, at six in the evening\n2. Pilates with Cleo, at seven in the evening\n"
         "3. Boxing with Ana, at eight in the evening, and that is all of it",
         "Our classes:\n1. Yoga with Bruno, at six in the evening\n2. Pilates with Cleo, at seven in the evening"),
        ("Это первое предложение нашего ответа. А это второе, и оно гораздо длиннее первого.",
         "Это первое предложение нашего ответа."),
        ("ヨガは六時です。" * 12, "ヨガは六時です。" * 8),
        ("x" * 200, "x" * 157 + "..."),
    ],
)  # fmt: skip
def test_a_cut_is_made_where_a_reader_pauses(body, kept):
    assert cut(body, 1) == kept


bodies = st.lists(
    st.sampled_from(
        [
            "a",
            "Yoga",
            "word ",
            " ",
            ". ",
            "! ",
            ".",
            "\n",
            "1. ",
            "😊",
            "👨‍👩‍👧",
            "🇩🇪",
            "e\u0301",
            "é",
            "€",
            "я",
            "。",
            "x" * 60,
        ]
    ),
    max_size=120,
).map("".join)


@given(bodies, st.integers(1, 4))
def test_a_cut_text_always_fits_and_is_never_torn(body, segments):
    kept = cut(body, segments)
    assert fits(kept, segments)
    assert len(kept) <= LONGEST_BODY
    said = kept if body.startswith(kept) else kept.removesuffix("...")
    clusters, whole = graphemes(said), graphemes(body)
    assert body.startswith(said)
    assert clusters == whole[: len(clusters)]
    assert kept or not body.strip()


@given(bodies, st.integers(1, 4))
def test_only_a_text_without_a_problem_is_left_whole(body, segments):
    if body.strip():
        assert (cut(body, segments) == body) is (problem(body, segments) is None)
