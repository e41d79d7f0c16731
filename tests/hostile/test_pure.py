"""The functions that see a stranger's words first, and the model's: any text at all, quickly, and the same every time."""

import contextlib
import random
import re
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from replyline.characters import storable, storable_json
from replyline.conversations.segments import measure
from replyline.llm.messages import as_messages
from replyline.llm.prompt import Check, Record, Result, Said, Texts
from replyline.phone_numbers import NotAPhoneNumber, country_of, masked, parse_e164, sender_kind
from replyline.rules.keywords import hear
from replyline.turns.clean import EmojiPolicy, clean
from replyline.turns.fit import cut, problem
from replyline.turns.text_triggers import find_triggers
from replyline.twilio.form import parse_form
from replyline.twilio.signature import is_signed, sign
from tests.hostile import oracle
from tests.hostile.people import ODD, RAW_ODD, TOKEN
from tests.hostile.reading import ASKED

anything = st.text(st.characters(categories=None), max_size=60)  # lone surrogates and all
words = st.lists(st.sampled_from(ODD) | anything, max_size=10).map("".join)
raw = st.lists(st.sampled_from(RAW_ODD) | st.binary(max_size=20), max_size=30).map(b"".join)


@settings(max_examples=400)
@given(raw)
def test_any_form_is_read_as_the_standard_library_reads_it(body):
    fields = parse_form(body)
    assert fields == oracle.fields_of(body)
    assert all(storable(name + value) == (name + value).replace("\x00", "") for name, value in fields)


@settings(max_examples=300)
@given(raw, raw, st.sampled_from(["", ":8443", ":443"]), st.booleans())
def test_any_form_is_signed_as_twilio_signs_it(body, query, port, is_changed):
    fields = parse_form(body)
    url = f"https://sms.example.test{port}/sms?{query.decode('latin-1').replace('#', '')}"
    signature = oracle.sign(TOKEN, url, fields)
    assert sign(TOKEN, url, fields) == signature
    if is_changed:
        fields = [*fields, ("x", "y")]
        assume(("x", "y") not in parse_form(body))
    assert is_signed([TOKEN], url, fields, signature) is not is_changed


HOSTS = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z]{2,5}){1,2}", fullmatch=True)
PATHS = st.text(st.sampled_from("abcZ019-._~/%?&=+:@!$'()*,;"), max_size=30)
FORMS = st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=6)


@settings(max_examples=400)
@given(
    st.sampled_from(["https", "http"]), HOSTS, st.sampled_from(["", ":443", ":80", ":8443"]), PATHS, FORMS, st.data()
)
def test_the_vendors_validator_agrees_whatever_the_url(scheme, host, port, path, form, data):
    url = f"{scheme}://{host}{port}/{path}"
    told = data.draw(st.sampled_from([url, f"{scheme}://{host}/{path}", f"{scheme}://{host}:443/{path}", url + "x"]))
    assume("@" not in url and "#" not in told)
    vendors = RequestValidator(TOKEN)
    signature = vendors.compute_signature(told, form)
    ours = is_signed([TOKEN], url, form.items(), signature)
    # The vendor's loses a ";" or "?" that nothing follows; what it accepts we accept.
    assert ours or not vendors.validate(url, form, signature)
    assert not (ours and told.endswith("x") and told != url)


@given(words, st.sampled_from([None, "US", "DE", "ZZ", ""]))
def test_any_words_are_a_number_or_are_said_to_be_none(written, country):
    with contextlib.suppress(NotAPhoneNumber):
        assert re.fullmatch(r"\+[1-9]\d{4,16}", parse_e164(written, country))
    assert country_of(written) is None or len(country_of(written)) == 2
    assert sender_kind(written)


@given(words)
@example("+14155550123:")
@example("a:+14155550123:b")
def test_nobody_reads_a_number_in_what_is_masked(written):
    shown = masked(written)
    assert not re.search(r"[0-9]{6}", shown)
    assert len(shown) < 40


@given(words, words)
@example("\x00", "{{7*7}}")
def test_a_text_never_gets_shorter_by_what_is_added(first, second):
    together = measure(first + second)
    assert together.segments >= max(measure(first).segments, 1)
    for part in (first, second):
        alone = measure(part)
        # A brace is two units in GSM-7, and one beside what makes the text UCS-2.
        assert together.units >= (alone.units if alone.encoding is together.encoding else len(part))


@given(words)
def test_any_text_may_be_a_keyword_and_what_is_heard_can_be_kept(body):
    heard = hear(body)
    assert heard is None or 0 < len(heard.word) <= 40


@given(words, st.sampled_from(EmojiPolicy), st.integers(0, 5))
def test_any_answer_becomes_a_text_that_fits(reply, emoji, segments):
    said = clean(reply, emoji=emoji)
    assert measure(cut(said, segments)).segments <= max(segments, 1)
    assert find_triggers(said) == (said, ())
    problem(said, segments)


@given(words)
def test_anything_can_be_shown_to_a_model(said):
    kept = storable(said)
    parts = [
        Said(by="us", text=kept),
        Said(by="contact", text=kept),
        Record(data={kept: [kept]}),
        Texts(texts=(kept, "")),
    ]
    ASKED.dump_json(
        as_messages([*parts, Check(text=kept), Result(call_id=kept, name=kept, output=kept)], sees_pictures=True)
    )


@given(anything)
def test_what_is_storable_stays_as_it_is(text):
    kept = storable(text)
    assert storable(kept) == kept
    assert kept.encode().decode() == kept
    assert "\x00" not in kept
    if "\x00" not in text and not re.search("[\ud800-\udfff]", text):
        assert kept == text


def test_the_numbers_that_json_does_not_know_become_null():
    assert storable_json({"a\x00": [float("nan"), float("inf"), 1.5, True, None]}) == {
        "a": [None, None, 1.5, True, None]
    }


PIECES = (
    "*", "**", "_", "`", "```", "#", "# ", "- ", "|", "\n", " ", "~~", "> ", "\\", "[", "]", "](", ")", "http://a.b", "a", ".",
    "!", "…", "“", "\u200b", "😊", "\u200d", "\u0301", "\u0316", "<br>", "<", "[ACTION:", "[ACTION:A b=", '"', "=", "{", "@",
    "[ACT", "ION:", "🏽", "\ufdfa", "!!", "... ", " ;",
)  # fmt: skip
LONG = 8_000


@pytest.mark.parametrize("piece", PIECES)
def test_no_answer_of_a_model_takes_long_to_clean(piece):
    rng = random.Random(piece)
    for _ in range(4):
        unit = piece + rng.choice(("", *PIECES))
        answer = rng.choice(PIECES) + (unit * LONG)[:LONG] + rng.choice(PIECES)
        began = time.process_time()
        said = clean(answer, emoji=EmojiPolicy.AUTO)
        find_triggers(answer)
        problem(answer, 2)
        cut(answer, 2)
        cut(said, 2)
        assert time.process_time() - began < 2, unit


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long_to_hear(piece):
    began = time.process_time()
    hear((piece * 64_000)[:64_000])
    assert time.process_time() - began < 1
