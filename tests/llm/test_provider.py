"""A provider's model behind our door, without a wire."""

import json

import pytest
from pydantic_ai import models as library
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from replyline.llm import Answered, BadModel, ModelUnavailable, Record, Texts, Tool, ask
from replyline.llm.fixed import always, an_answer, call, fixed_answers
from replyline.llm.models import build_model
from replyline.llm.provider import ProviderModel, is_closed, parameters
from replyline.llm.scripted import scripted_model
from tests.llm.gym import TOOLS, Gym
from tests.llm.openai_server import OpenAIServer

HELLO = Texts(texts=("Hello",))
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}


def answering(response: ModelResponse, seen: list[AgentInfo] | None = None, **settings: bool) -> ProviderModel:
    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if seen is not None:
            seen.append(info)
        return response

    return ProviderModel(FunctionModel(answer, model_name="gpt-6-luna"), **settings)


async def test_a_known_model_has_a_price_in_millionths_of_a_dollar() -> None:
    used = RequestUsage(input_tokens=1100, output_tokens=60)
    response = ModelResponse(parts=[TextPart("Hi")], usage=used, provider_name="openai")
    answer = await ask(answering(response), instructions="", turns=[HELLO])
    assert answer.usage.cost_micros == 140  # 1,100 at $0.10 and 60 at $0.50 a million


async def test_an_unknown_price_is_not_nothing() -> None:
    used = RequestUsage(input_tokens=1100, output_tokens=60)
    response = ModelResponse(parts=[TextPart("Hi")], usage=used, provider_name="compatible")
    assert (await ask(answering(response), instructions="", turns=[HELLO])).usage.cost_micros is None


async def test_an_answer_survives_being_stored() -> None:
    response = ModelResponse(parts=[TextPart("One moment."), ToolCallPart("look_up", {"a": "ü"}, tool_call_id="c1")])
    answer = await ask(answering(response), instructions="", turns=[HELLO])
    assert (answer.text, answer.calls[0].id, answer.finish) == ("One moment.", "c1", "tool_call")
    assert json.loads(answer.calls[0].arguments) == {"a": "ü"}
    again = await ask(answering(response), instructions="", turns=[HELLO, Answered(message=answer.message)])
    assert again.text == "One moment."


async def test_an_answer_of_the_scripted_model_can_be_taken_up_by_another() -> None:
    turns = [Record(data=Gym().contact_record()), Texts(texts=("yoga tomorrow at 6pm",))]
    first = await ask(scripted_model(), instructions="", turns=turns, tools=TOOLS)
    response = ModelResponse(parts=[TextPart("OK")])
    answer = await ask(answering(response), instructions="", turns=[*turns, Answered(message=first.message)])
    assert answer.text == "OK"


async def test_the_contact_is_named_to_the_provider_only_by_its_hash() -> None:
    seen: list[AgentInfo] = []
    model = answering(ModelResponse(parts=[TextPart("Hi")]), seen, takes_safety_identifier=True)
    await ask(model, instructions="", turns=[HELLO], safety_identifier="hash-of-contact")
    assert seen[0].model_settings == {"extra_body": {"safety_identifier": "hash-of-contact"}}


async def test_a_provider_that_does_not_know_the_field_is_not_sent_it() -> None:
    seen: list[AgentInfo] = []
    await ask(
        answering(ModelResponse(parts=[TextPart("Hi")]), seen), instructions="", turns=[HELLO], safety_identifier="h"
    )
    assert not seen[0].model_settings


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (CLOSED, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"a": OPEN}}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [OPEN, {"type": "null"}]}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, True),
    ],
)
def test_only_closed_schemas_are_strict(schema: dict[str, object], closed: bool) -> None:
    assert is_closed(schema) is closed


def test_a_lines_tools_are_worked_out_once() -> None:
    assert parameters("Be kind.", TOOLS) is parameters("Be kind.", tuple(TOOLS))
    other = Tool(name=TOOLS[0].name, description="Else.", parameters=TOOLS[0].parameters)
    assert parameters("Be kind.", (other,)) is not parameters("Be kind.", (TOOLS[0],))


async def test_no_real_model_is_asked_in_tests() -> None:
    assert not library.ALLOW_MODEL_REQUESTS
    async with OpenAIServer() as server:
        model = build_model(model="test-model", api_key=None, base_url=server.url)
        with pytest.raises(RuntimeError, match="ALLOW_MODEL_REQUESTS"):
            await ask(model, instructions="", turns=[HELLO])
        await model.close()


def test_openai_needs_a_key() -> None:
    with pytest.raises(BadModel, match="OPENAI_API_KEY is not set"):
        build_model(model="gpt-6-luna", api_key=None)


def test_a_provider_whose_package_is_missing_is_named() -> None:
    with pytest.raises(BadModel, match=r"pip install 'replyline\[anthropic\]'"):
        build_model(model="anthropic:claude-haiku-5-5", api_key=None)


def test_a_provider_whose_setting_is_missing_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    with pytest.raises(BadModel, match="OLLAMA_BASE_URL"):
        build_model(model="ollama:qwen3", api_key=None)


async def test_a_colon_in_a_name_does_not_make_a_provider() -> None:
    model = build_model(model="qwen3:8b", api_key=None, base_url="http://127.0.0.1:9/v1")
    assert model.name == "qwen3:8b"
    await model.close()


async def test_other_providers_are_built_by_name_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9/v1")
    model = build_model(model="ollama:qwen3", api_key=None)
    assert model.name == "ollama:qwen3"
    await model.close()


async def test_fixed_answers_come_in_order_and_keep_what_was_asked() -> None:
    model = fixed_answers(call("book", when="now"), "Done.", ModelUnavailable("Away."), an_answer("", finish="length"))
    first = await ask(model, instructions="Be kind.", turns=[HELLO])
    assert (first.calls[0].name, first.calls[0].id, first.finish) == ("book", "call_1", "tool_call")
    assert (await ask(model, instructions="", turns=[HELLO, Answered(message=first.message)])).text == "Done."
    with pytest.raises(ModelUnavailable):
        await ask(model, instructions="", turns=[HELLO])
    assert (await ask(model, instructions="", turns=[HELLO])).finish == "length"
    with pytest.raises(AssertionError, match="asked 5 times, but has 4 answers"):
        await ask(model, instructions="", turns=[HELLO])
    assert model.prompts[0].instructions == "Be kind."


async def test_the_same_answer_is_given_as_often_as_wanted() -> None:
    model = always("Hi", delay=0.001)
    assert [(await ask(model, instructions="", turns=[HELLO])).text for _ in range(3)] == ["Hi"] * 3
