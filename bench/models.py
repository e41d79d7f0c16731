"""Models that answer at once, the first time with a call of one action, then with a text; and one that takes a second."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from replyline.llm import Answer, Model, Prompt, Texts, ToolCall, Usage

CALL = ("book_class", {"when": "2026-03-03T18:00:00", "kind": "yoga"})
REPLY = "You're booked for yoga on Tuesday at 6 pm. See you there!"
# What the table calls them.
KINDS = {
    "instant": "a bare instant model",
    "library": "an instant model of pydantic-ai's",
    "wire": "pydantic-ai and the OpenAI client, over HTTP",
}


def bench_model(kind: str, url: str) -> Model:
    """One of `KINDS`, or `second`; the URL is for the one that asks over HTTP."""
    if kind == "instant":
        return Instant()
    if kind == "second":
        return OneSecond()
    if kind == "library":
        return library_model()
    from replyline.llm.models import build_model

    return build_model(model="openai-chat:bench", api_key="none", base_url=url)


class Instant:
    """Does nothing but answer."""

    name = "instant"

    async def answer(self, prompt: Prompt) -> Answer:
        name, arguments = CALL
        is_first = isinstance(prompt.turns[-1], Texts)
        return Answer(
            text="" if is_first else REPLY,
            calls=(ToolCall(id="call_1", name=name, arguments=json.dumps(arguments)),) if is_first else (),
            finish="tool_call" if is_first else "stop",
            usage=Usage(model="instant", input_tokens=900, output_tokens=30, cost_micros=None),
            message="{}",
        )

    async def close(self) -> None:
        return


class OneSecond(Instant):
    """Answers with a text, one second after it was asked."""

    name = "second"

    async def answer(self, prompt: Prompt) -> Answer:
        await asyncio.sleep(1)
        usage = Usage(model=self.name, input_tokens=900, output_tokens=30, cost_micros=None)
        return Answer(text=REPLY, calls=(), finish="stop", usage=usage, message="{}")


def library_model() -> Model:
    """What every provider's model costs us, without its wire."""
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    from replyline.llm.provider import ProviderModel

    def answer(messages: Sequence[ModelMessage], info: AgentInfo) -> ModelResponse:
        has_acted = any(isinstance(part, ToolReturnPart) for part in messages[-1].parts)
        part: Any = TextPart(REPLY) if has_acted else ToolCallPart(CALL[0], CALL[1], "call_1")
        return ModelResponse(parts=[part])

    return ProviderModel(FunctionModel(answer))
