"""Opt-outs in free words, held against texts as people write them."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from replyline.rules.free_words import GROUPS, asks_to_stop, asks_whether_to_go_on, is_thumbs_down, may_ask_to_stop
from replyline.rules.keywords import Keyword, hear, normalised, words_of
from replyline.rules.rulebook import read_rulebook

with (Path(__file__).parent / "data" / "opt_outs.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
LANGUAGES = sorted({row["language"] for row in ROWS})
WORDS = words_of(read_rulebook().keywords, LANGUAGES)
SEEN = [row for row in ROWS if not row["held_out"]]
HELD_OUT = [row for row in ROWS if row["held_out"]]  # written after the phrases; nothing was tuned on them


def is_heard(text):
    heard = hear(text, None, WORDS)
    return (heard is not None and heard.kind is Keyword.STOP) or asks_to_stop(text)


def wrong(rows, label, kind=None):
    return [
        row["text"]
        for row in rows
        if row["label"] == label and kind in {None, row["kind"]} and is_heard(row["text"]) is (label == "no")
    ]


def count(rows, label):
    return sum(row["label"] == label for row in rows)


def figures(rows):
    """Recall and precision of a set of texts, and how many there were."""
    wanted, traps = count(rows, "stop"), count(rows, "no")
    found, false = wanted - len(wrong(rows, "stop")), len(wrong(rows, "no"))
    return f"recall {found}/{wanted}, precision {found}/{found + false}, false alarms {false}/{traps}"


def test_there_are_enough_texts_in_enough_languages_and_half_of_them_are_traps():
    by_label = Counter(row["label"] for row in ROWS)
    assert len(ROWS) >= 400
    assert len(LANGUAGES) >= 8
    assert 0.4 < by_label["no"] / len(ROWS) < 0.6
    assert len({row["text"] for row in ROWS}) == len(ROWS)


def test_the_figures_are_printed(capsys):
    with capsys.disabled():
        print()
        for language in LANGUAGES:
            print(f"  {language}: {figures([row for row in SEEN if row['language'] == language])}")
        print(f"  held out, English: {figures([row for row in HELD_OUT if row['language'] == 'en'])}")
        print(f"  held out, others: {figures([row for row in HELD_OUT if row['language'] != 'en'])}")


def test_no_keyword_is_missed():
    assert wrong(ROWS, "stop", "keyword") == []


def test_hardly_any_opt_out_in_free_english_words_is_missed():
    english = [row for row in SEEN if row["language"] == "en" and row["kind"] == "free"]
    assert len(wrong(english, "stop")) <= 0.02 * count(english, "stop")


def test_hardly_anybody_is_taken_for_somebody_who_wants_no_texts():
    assert len(wrong(ROWS, "no")) <= 0.02 * count(ROWS, "no")


def test_of_texts_that_nobody_tuned_on_few_alarm_falsely_and_most_opt_outs_are_heard():
    assert len(wrong(HELD_OUT, "no")) <= 0.05 * count(HELD_OUT, "no")
    assert len(wrong(HELD_OUT, "stop")) <= 0.5 * count(HELD_OUT, "stop")


def test_a_model_is_shown_every_opt_out_that_no_phrase_hears_and_few_ordinary_texts():
    missed = [row["text"] for row in ROWS if row["label"] == "stop" and not is_heard(row["text"])]
    assert [text for text in missed if not may_ask_to_stop(text)] == []
    ordinary = ["Are you open?", "I'd like yoga on Monday at six", "ok", "Thanks, see you then!", "How much is it?"]
    assert [text for text in ordinary if may_ask_to_stop(text)] == []
    assert may_ask_to_stop("Прекратите писать мне")
    assert may_ask_to_stop("不要再发短信")


def test_the_quick_look_at_single_words_misses_nothing_that_the_phrases_find():
    for row in ROWS:
        said = normalised(row["text"])
        spoken = {each[:length] for each in said.split() for length in (4, len(each))}
        for triggers, phrases in GROUPS:
            if phrases.search(said):
                assert not triggers.isdisjoint(spoken), row["text"]


@pytest.mark.parametrize(
    ("text", "is_one"), [("👎", True), (" 👎🏾 ", True), ("👎👎", False), ("👍", False), ("no 👎", False)]
)
def test_a_single_thumb_down_is_one_of_any_skin(text, is_one):
    assert is_thumbs_down(text) is is_one


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Do you still want our texts?", True),
        ("Would you like to keep getting these reminders?", True),
        ("You are booked. Anything else?", False),
        ("We keep your texts. OK?", False),
    ],
)
def test_our_own_question_whether_to_go_on_is_known(text, asks):
    assert asks_whether_to_go_on(text) is asks


def test_words_of_no_list_are_off_until_the_line_turns_their_language_on():
    rows = read_rulebook().keywords
    assert "abmelden" not in words_of(rows, ())
    assert words_of(rows, ("de",))["abmelden"] is Keyword.STOP
    assert words_of(rows, ())["arret"] is Keyword.STOP


@pytest.mark.parametrize(
    "text", ["cancel please", "end now", "quit thanks", "yes please", "remove please", "cancel it"]
)
def test_a_word_that_also_answers_a_question_is_no_keyword_with_others_around_it(text):
    assert hear(text, None, WORDS) is None
