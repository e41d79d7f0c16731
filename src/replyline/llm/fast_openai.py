"""The OpenAI client at a quarter of the CPU.

Its `create` methods compare every argument with large unions of types before sending, which changes nothing in plain
JSON and takes three quarters of a request's CPU. Ours post the JSON as it is. They lean on two inner functions
of the package, so its version is pinned, and tests/llm/test_wires.py speaks both wires through it.
"""

from functools import cached_property
from typing import Any

from openai import AsyncOpenAI, AsyncStream, NotGiven, Omit
from openai._base_client import make_request_options
from openai.resources.chat import AsyncChat, AsyncCompletions
from openai.resources.responses import AsyncResponses
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

PER_REQUEST = ("extra_headers", "extra_query", "extra_body", "timeout")


class FastAsyncOpenAI(AsyncOpenAI):
    """`AsyncOpenAI`, with quick `responses.create` and `chat.completions.create`."""

    @cached_property
    def responses(self) -> AsyncResponses:
        return FastResponses(self)

    @cached_property
    def chat(self) -> AsyncChat:
        return FastChat(self)


class FastChat(AsyncChat):
    @cached_property
    def completions(self) -> AsyncCompletions:
        return FastCompletions(self._client)


class FastResponses(AsyncResponses):
    async def create(self, **arguments: Any) -> Any:
        body, options = split(arguments)
        return await self._post(
            "/responses",
            body=body,
            cast_to=Response,
            stream=bool(body.get("stream")),
            stream_cls=AsyncStream[ResponseStreamEvent],
            options=make_request_options(**options, security={"bearer_auth": True}),
        )


class FastCompletions(AsyncCompletions):
    async def create(self, **arguments: Any) -> Any:
        body, options = split(arguments)
        return await self._post(
            "/chat/completions",
            body=body,
            cast_to=ChatCompletion,
            stream=bool(body.get("stream")),
            stream_cls=AsyncStream[ChatCompletionChunk],
            options=make_request_options(**options, security={"bearer_auth": True}),
        )


def split(arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes into the body, and what is about the request itself."""
    given = {name: value for name, value in arguments.items() if not isinstance(value, Omit | NotGiven)}
    options = {name: given.pop(name) for name in PER_REQUEST if name in given}
    return given, options
