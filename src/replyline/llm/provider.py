"""A provider's model behind our door: translated there and back, its errors named as ours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelTimeoutError,
    UnexpectedModelBehavior,
)
from pydantic_ai.messages import InstructionPart
from pydantic_ai.models import Model as LibraryModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from replyline.llm.errors import ModelError, ModelFiltered, ModelRefused, ModelUnavailable
from replyline.llm.messages import as_answer, as_messages
from replyline.llm.prompt import Answer, Prompt, Tool

# What the library trips over when a server's answer has the wrong shape.
NONSENSE = (TypeError, AttributeError, ValueError, LookupError)


class ProviderModel:
    """A model of pydantic-ai's, for the life of the process."""

    def __init__(
        self,
        model: LibraryModel,
        *,
        name: str | None = None,
        settings: ModelSettings | None = None,
        takes_safety_identifier: bool = False,
        on_close: Sequence[Callable[[], Awaitable[object]]] = (),
    ) -> None:
        self.model = model
        self.name = name or model.model_name
        self._settings = settings or ModelSettings()
        self._takes_safety_identifier = takes_safety_identifier
        self._on_close = on_close

    async def answer(self, prompt: Prompt) -> Answer:
        """The next answer. Raises a `ModelError`."""
        messages = as_messages(prompt.turns, sees_pictures=prompt.sees_pictures)
        settings, given = self._settings_for(prompt), parameters(prompt.instructions, tuple(prompt.tools))
        try:
            response = await model_request(
                self.model, messages, model_settings=settings, model_request_parameters=given
            )
        except (AgentRunError, FallbackExceptionGroup, *NONSENSE) as error:
            raise named(error) from error
        return as_answer(response)

    async def close(self) -> None:
        """Close the connections to every endpoint."""
        for close in self._on_close:
            await close()

    def _settings_for(self, prompt: Prompt) -> ModelSettings:
        if not (self._takes_safety_identifier and prompt.safety_identifier):
            return self._settings
        return {**self._settings, "extra_body": {"safety_identifier": prompt.safety_identifier}}


@lru_cache(maxsize=256)
def parameters(instructions: str, tools: tuple[Tool, ...]) -> ModelRequestParameters:
    """Worked out once per line, as long as the caller keeps its tools."""
    return ModelRequestParameters(
        function_tools=[as_definition(tool) for tool in tools],
        allow_text_output=True,
        instruction_parts=[InstructionPart(content=instructions)],
    )


def as_definition(tool: Tool) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
        strict=is_closed(tool.parameters),
    )


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Whether every object in it requires all its properties and allows no other: what strict calls need."""
    if "properties" in schema or schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            return False
    return all(is_closed(child) for child in children(schema))


def children(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    named = [schema.get("properties", {}), schema.get("$defs", {})]
    listed = [schema.get("anyOf", ()), schema.get("oneOf", ()), schema.get("allOf", ()), [schema.get("items")]]
    found = [child for group in named for child in group.values()] + [child for group in listed for child in group]
    return [child for child in found if isinstance(child, Mapping)]


# The first that fits; the library's own classes overlap.
REASONS: tuple[tuple[type[Exception], type[ModelError], str], ...] = (
    (ContentFilterError, ModelFiltered, "The provider's filter stopped the request"),
    (ModelRequestTimeout, ModelUnavailable, "The model took too long"),
    (ModelTimeoutError, ModelUnavailable, "The model took too long"),
    (ModelConnectionError, ModelUnavailable, "The model's endpoint cannot be reached"),
    (ModelQuotaExceededError, ModelRefused, "The provider says the account's quota or credit is used up"),
    (ModelRateLimitError, ModelUnavailable, "The provider asks us to slow down"),
    (ModelAuthenticationError, ModelRefused, "The provider does not accept the API key for this model"),
    (ModelNotFoundError, ModelRefused, "The endpoint knows no such model; check REPLYLINE_MODEL and OPENAI_BASE_URL"),
    (ModelRequestRejectedError, ModelRefused, "The provider rejected the request as it was"),
    (ModelAPIError, ModelUnavailable, "The model's provider is in trouble"),
    (UnexpectedModelBehavior, ModelUnavailable, "The model's answer could not be understood"),
    *((kind, ModelUnavailable, "The model's answer could not be understood") for kind in NONSENSE),
)


def named(error: Exception) -> ModelError:
    """The same trouble in our words: which model, which status, and nothing the provider wrote."""
    if isinstance(error, FallbackExceptionGroup):
        causes = [named(cause) for cause in error.exceptions if isinstance(cause, Exception)]
        again = next((cause for cause in causes if cause.try_again), None)
        return type(again or causes[0])(" ".join(str(cause) for cause in causes))
    if isinstance(error, ModelTimeoutError) and error.phase == "connect":  # also what a refused connection comes as
        return ModelUnavailable(f"The model's endpoint cannot be reached{details(error)}.")
    for kind, ours, reason in REASONS:
        if isinstance(error, kind):
            return ours(f"{reason}{details(error)}.")
    return ModelUnavailable(f"The model gave no answer ({type(error).__name__}).")


def details(error: Exception) -> str:
    model = getattr(error, "model_name", None)
    status = f"HTTP {error.status_code}" if isinstance(error, ModelHTTPError) else None
    known = ", ".join(filter(None, [model, status]))
    return f" ({known})" if known else ""
