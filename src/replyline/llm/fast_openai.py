"""The OpenAI client at a fifth of the CPU.

Its `create` methods compare every argument with large unions of types before sending, build each request from nothing and
each answer field by field in Python. Ours send the JSON as it is, with the address and headers that the package made
once, and read the answer in one go. When to ask again, how long to wait before, and which error it is, is all the package's.
They lean on its inner functions, so its version is pinned, and tests/llm/test_wires.py speaks both wires through it.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import httpx2
from openai import APIConnectionError, APITimeoutError, AsyncOpenAI, BaseModel, NotGiven, Omit
from openai._models import FinalRequestOptions
from openai._utils._json import openapi_dumps
from openai.resources.chat import AsyncChat, AsyncCompletions
from openai.resources.responses import AsyncResponses
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import ValidationError


class FastAsyncOpenAI(AsyncOpenAI):
    """`AsyncOpenAI`, with quick `responses.create` and `chat.completions.create`; neither streams."""

    @cached_property
    def responses(self) -> AsyncResponses:
        return FastResponses(self)

    @cached_property
    def chat(self) -> AsyncChat:
        return FastChat(self)

    @cached_property
    def _made(self) -> dict[object, tuple[FinalRequestOptions, httpx2.Request]]:
        return {}

    async def ask(self, path: str, arguments: Mapping[str, Any], answer: type[BaseModel]) -> Any:
        """POST the arguments as JSON until there is an answer, as often as the package would. Raises its errors."""
        body = {name: value for name, value in arguments.items() if not isinstance(value, Omit | NotGiven)}
        headers, more = body.pop("extra_headers", None), body.pop("extra_body", None)
        options, made = self._makes(path, headers or {}, body.pop("timeout", self.timeout))
        content = openapi_dumps(body | (more or {}))
        for left in range(self.max_retries, -1, -1):
            headers_of_answer = None
            try:
                response = await self._send(made, content)
            except APIConnectionError:  # or took too long
                if not left:
                    raise
            else:
                if response.is_success:
                    return await self._read(response, answer, options)
                if not left or not self._should_retry(response):
                    raise self._make_status_error_from_response(response)
                headers_of_answer = response.headers
            await asyncio.sleep(self._calculate_retry_timeout(left, options, headers_of_answer))
        raise AssertionError("The last try answers or raises.")

    def _makes(
        self, path: str, headers: Mapping[str, str], timeout: float | httpx2.Timeout | None
    ) -> tuple[FinalRequestOptions, httpx2.Request]:
        """An empty request with the package's address, headers and time limits. Made once: it takes longer than sending."""
        key = (path, str(timeout), *headers.items())
        if (known := self._made.get(key)) is not None:
            return known
        options = FinalRequestOptions.construct(
            method="post", url=path, headers=headers, timeout=timeout, json_data={}, security={"bearer_auth": True}
        )
        request = self._build_request(options)
        del request.headers["content-length"]
        self._made[key] = options, request
        return options, request

    async def _send(self, made: httpx2.Request, content: bytes) -> httpx2.Response:
        request = httpx2.Request("POST", made.url, headers=made.headers, content=content, extensions=made.extensions)
        try:
            return await self._client.send(request)
        except httpx2.TimeoutException as error:
            raise APITimeoutError(request=request) from error
        except (httpx2.RequestError, ssl.SSLError) as error:
            raise APIConnectionError(request=request) from error

    async def _read(self, response: httpx2.Response, answer: type[BaseModel], options: FinalRequestOptions) -> Any:
        """The answer; one that is not quite as OpenAI says, as the package makes the best of it."""
        try:
            return answer.model_validate_json(response.content)
        except ValidationError:
            return await self._process_response(
                cast_to=answer, options=options, response=response, stream=False, stream_cls=None
            )


class FastChat(AsyncChat):
    @cached_property
    def completions(self) -> AsyncCompletions:
        return FastCompletions(self._client)


class FastResponses(AsyncResponses):
    _client: FastAsyncOpenAI

    async def create(self, **arguments: Any) -> Any:
        return await self._client.ask("/responses", arguments, Response)


class FastCompletions(AsyncCompletions):
    _client: FastAsyncOpenAI

    async def create(self, **arguments: Any) -> Any:
        return await self._client.ask("/chat/completions", arguments, ChatCompletion)
