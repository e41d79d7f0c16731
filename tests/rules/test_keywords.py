import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replyline.phone_numbers import SenderKind
from replyline.rules.keywords import PER_SE, TWILIO_DEFAULTS, Keyword, hear, normalised, twilio_answers

STOP, START, HELP = Keyword.STOP, Keyword.START, Keyword.HELP


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *[(word, STOP) for word in ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"]],
        *[(word, START) for word in ["START", "YES", "UNSTOP"]],
        *[(word, HELP) for word in ["HELP", "INFO"]],
        ("opt out", STOP),
        ("Opt-Out!", STOP),
        ("opt   \n out", STOP),
        ("stop", STOP),
        (" Stop. ", STOP),
        ("STOP!!!", STOP),
        ("“Stop”", STOP),
        ("'stop'", STOP),
        ("stop 🛑", STOP),
        ("🙏🏽 stop ❤️", STOP),
        ("ＳＴＯＰ", STOP),
        ("Stóp", STOP),
        ("ST\u200bOP", STOP),
        ("STOP\n\nSent from my iPhone", STOP),
        ("Stop\n-- \nBruno", STOP),
        ("QUİT", STOP),
        ("help?", HELP),
        ("Yes!", START),
    ],
)
def test_a_keyword_is_heard_however_it_is_written(body, kind):
    heard = hear(body)
    assert heard is not None
    assert heard.kind is kind


@pytest.mark.parametrize(
    "body",
    [
        "",
        "🙂",
        "stop by at 8",
        "can I stop by?",
        "cancel it please",
        "cancel my booking",
        "yes please",
        "the end",
        "stopp",
        "s p o t",
        "opt",
        "Can you help me?",
        "STOP 1",
        "unstoppable",
    ],
)
def test_a_sentence_is_left_to_the_turn(body):
    assert hear(body) is None


def test_yes_is_an_answer_unless_they_had_opted_out():
    assert all(hear(word).only_if_opted_out for word in ("yes", "START", "unstop"))
    assert not any(hear(word).only_if_opted_out for word in ("stop", "help", "opt out"))


def test_yes_does_not_undo_a_stop_on_a_toll_free_number():
    assert hear("yes", SenderKind.TOLL_FREE) is None
    assert hear("START", SenderKind.TOLL_FREE).kind is START
    assert hear("yes", SenderKind.LONG_CODE).kind is START


def test_the_record_keeps_the_word_as_it_was_written():
    heard = hear("  Opt-out!! ")
    assert (heard.word, heard.matched_by) == ("Opt-out!!", "per_se")
    assert hear("quit").matched_by == "twilio"


@pytest.mark.parametrize(
    ("word", "sender", "opt_out_type", "answers"),
    [
        ("STOP", SenderKind.LONG_CODE, None, True),
        ("optout", SenderKind.LONG_CODE, None, True),
        ("YES", SenderKind.LONG_CODE, None, True),
        ("INFO", SenderKind.LONG_CODE, None, True),
        ("STOP!", SenderKind.LONG_CODE, None, False),  # Twilio takes the bare word only
        ("opt out", SenderKind.LONG_CODE, None, False),
        ("STOP", SenderKind.TOLL_FREE, None, True),
        ("unstop", SenderKind.TOLL_FREE, None, True),
        ("yes", SenderKind.TOLL_FREE, None, False),
        ("STOP", SenderKind.SHORT_CODE, None, False),
        ("HELP", SenderKind.SHORT_CODE, None, False),
        ("HELP", SenderKind.SHORT_CODE, "HELP", True),
        ("arret", SenderKind.LONG_CODE, "STOP", True),
        ("STOP", SenderKind.MESSAGING_SERVICE, None, True),
        ("STOP", SenderKind.CHANNEL, None, False),
        ("STOP", SenderKind.CHANNEL, "STOP", True),
        ("STOP", SenderKind.LONG_CODE, "", True),
    ],
)
def test_we_know_what_twilio_has_answered_already(word, sender, opt_out_type, answers):
    assert twilio_answers(word, sender, opt_out_type) is answers


AROUND = st.text(st.sampled_from(" .,!?\"'“”…-\n🙂🛑❤️👍🏽"), max_size=5)


@example(word="stop", upper=False, before="\n--", after="")
@given(word=st.sampled_from([*TWILIO_DEFAULTS, *PER_SE]), upper=st.booleans(), before=AROUND, after=AROUND)
def test_what_stands_around_a_keyword_does_not_hide_it(word, upper, before, after):
    heard = hear(f"{before}{word.upper() if upper else word}{after.replace('-', '')}")
    assert heard is not None
    assert heard.kind is (TWILIO_DEFAULTS | PER_SE)[word]


@given(st.text())
def test_any_text_can_be_compared(body):
    said = normalised(body)
    assert said == " ".join(said.split())
