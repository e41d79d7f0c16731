"""A model may answer with anything. The person gets a text that a phone can show, or the fallback text: always one."""

import json
from itertools import count
from typing import Any, get_args

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.usage import RequestUsage

from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.db.tables import work
from replyline.llm.messages import as_answer, as_messages
from replyline.llm.prompt import Answer, Finish, Prompt, Result
from replyline.plugins.line import Line
from tests.hostile.people import MARK, ODD
from tests.support.road import Road

ASKED = TypeAdapter(list[ModelMessage])
NUMBERS = count(1)


def a_line() -> Line:
    line = Line(name="Gym", instructions="You book.", holding_after=None, emoji="keep")

    @line.action
    async def note(words: str, times: int = 1) -> str:
        """Write something down."""
        return words * times

    return line


class Careless:
    """Gives what a provider's package read from the wire, in order, the last one for ever; it is asked as that would be."""

    name = "test-1"

    def __init__(self, given: list[ModelResponse]) -> None:
        self.given, self.seen = list(given), []

    async def answer(self, prompt: Prompt) -> Answer:
        self.seen.append(prompt)
        ASKED.dump_json(as_messages(prompt.turns, sees_pictures=True))
        return as_answer(self.given.pop(0) if len(self.given) > 1 else self.given[0])

    async def close(self) -> None:
        pass


odd = (
    st.sampled_from(ODD)
    | st.text(max_size=30)
    | st.text(st.characters(categories=["Cs", "Cc", "Co", "Mn"]), max_size=5)
)
words = st.lists(odd, max_size=8).map("".join)
names = st.sampled_from(["note", "NOTE", "book", "", "note ", "__import__", "x" * 300]) | words
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
garbage = st.sampled_from(
    [
        "",
        "null",
        "[]",
        "{",
        '{"words":',
        '{"words": "a\\u0000b\\ud800"}',
        "[" * 5000,
        '{"words": NaN}',
        "{}{}",
        '{"words": "x", "times": 100000}',
    ]
)
arguments = (
    words
    | garbage
    | values.map(json.dumps)
    | st.builds(lambda w, n: json.dumps({"words": w, "times": n}), words, st.integers(-1, 3))
)
ids = st.sampled_from(["", "call_1", "functions.note:0", "x" * 300, "a\x00"]) | words
calls = st.builds(
    ToolCallPart, tool_name=names, args=arguments | st.dictionaries(words, values, max_size=3), tool_call_id=ids
)
usages = st.builds(
    RequestUsage, input_tokens=st.sampled_from([0, -1, 10**12]), output_tokens=st.integers(-(2**70), 2**70)
)
parts = st.lists(st.builds(TextPart, words) | st.builds(ThinkingPart, words) | calls, max_size=8)
answers = st.builds(
    ModelResponse,
    parts=parts,
    finish_reason=st.none() | st.sampled_from(get_args(Finish)),
    usage=usages,
    model_name=st.none() | words,
)


def said(*parts: Any, **given: Any) -> ModelResponse:
    return ModelResponse(parts=[TextPart(part) if isinstance(part, str) else part for part in parts], **given)


def wants(arguments: Any, name: str = "note", call_id: str = "1") -> ToolCallPart:
    return ToolCallPart(tool_name=name, args=arguments, tool_call_id=call_id)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.lists(answers, min_size=1, max_size=4))
@example(given=[said("See you \ud83d", finish_reason="length")])
@example(given=[said("a\x00b")])
@example(given=[said("\x00")])
@example(given=[said("x" * 1_000_000)])
@example(given=[said("<html><body><h1>Hi</h1></body></html>")])
@example(given=[said(wants('{"words": "a\\u0000b\\ud83d"}')), said("Noted.")])
@example(given=[said(wants('{"words": "a\x00b"}'), wants({"words": "\ud83d"})), said("Noted.")])
@example(given=[said(*[wants('{"words": "twice"}', call_id="same")] * 2), said("Noted.")])
@example(given=[said(*[wants('{"words": "many"}')] * 300), said("Noted.")])
@example(given=[said(wants("{}", name="n\x00", call_id="functions.note:0")), said("Noted.")])
@example(given=[said("Noted.", usage=RequestUsage(input_tokens=10**12, output_tokens=-5))])
@example(given=[said("Noted.", model_name="m\x00\ud83d")])
async def test_whatever_a_model_answers_the_person_gets_one_text(db, clock, tmp_path, given):
    road = Road(db, clock, a_line(), Careless(given), tmp_path)
    phone = f"+1212{next(NUMBERS):07d}"
    await road.text(f"Hi {MARK}", phone=phone)
    await road.work()
    [body] = road.replies(phone)
    assert 0 < len(body) <= LONGEST_BODY
    assert body.encode().decode() == body
    assert "\x00" not in body
    assert measure(body).segments <= road.line.max_segments
    state, outcome = road.outcomes()[-1]
    assert (state, outcome) in {("done", "answered"), ("failed", "empty"), ("failed", "too_many_rounds")}
    assert not [row for row in road.rows(work) if row.kind == "turn"]
    clock.advance(seconds=1)


async def test_a_call_id_with_a_colon_comes_back_with_its_result(db, clock, tmp_path):
    model = Careless(
        [
            said(wants({"words": "a"}, call_id="functions.note:0"), wants({"words": "b"}, call_id="functions.note:1")),
            said("Noted."),
        ]
    )
    road = Road(db, clock, a_line(), model, tmp_path)
    await road.text("Note it.")
    await road.work()
    results = [part for part in model.seen[-1].turns if isinstance(part, Result)]
    assert [(result.call_id, result.output) for result in results] == [
        ("functions.note:0", "a"),
        ("functions.note:1", "b"),
    ]
