"""Puts a model together from its name, an endpoint and, perhaps, a second model."""

from collections.abc import Awaitable, Callable

from pydantic_ai.exceptions import ModelAPIError, UnexpectedModelBehavior, UserError
from pydantic_ai.models import Model as LibraryModel
from pydantic_ai.models import infer_model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.providers import infer_provider_class
from pydantic_ai.settings import ModelSettings

from replyline.llm.endpoints import (
    OPENAI_URL,
    Patience,
    chat_model,
    compatible_model,
    is_openai_itself,
    open_client,
    responses_model,
)
from replyline.llm.errors import BadModel
from replyline.llm.fast_openai import FastAsyncOpenAI
from replyline.llm.provider import NONSENSE, ProviderModel

# For one answer: a reply of two segments is some 80 tokens, the rest is room for reasoning and for calls.
MOST_TOKENS = 1_000


class Builder:
    """Builds models that share one client for the endpoint."""

    def __init__(self, *, api_key: str | None, base_url: str | None, patience: Patience, cache_key: str) -> None:
        self._api_key, self._url = api_key, base_url or OPENAI_URL
        self._patience, self._cache_key = patience, cache_key
        self._client: FastAsyncOpenAI | None = None
        self._on_close: list[Callable[[], Awaitable[object]]] = []

    def build(self, name: str, fallback: str | None, *, deadline: float) -> ProviderModel:
        models = [self.one(each) for each in (name, fallback) if each]
        return ProviderModel(
            models[0] if len(models) == 1 else with_fallback(models),
            name=name,
            settings=ModelSettings(max_tokens=MOST_TOKENS, request_timeout=deadline),
            # Only OpenAI knows the field, and a request goes to the second model with the fields of the first.
            takes_safety_identifier=all(
                one.system == "openai" and is_openai_itself(one.base_url or "") for one in models
            ),
            on_close=tuple(self._on_close),
        )

    def one(self, name: str) -> LibraryModel:
        provider, _, short = name.partition(":") if ":" in name else ("", "", name)
        if provider in ("openai", "openai-responses"):
            return responses_model(short, self.client(), cache_key=self._cache_key)
        if provider == "openai-chat":
            return chat_model(short, self.client())
        if provider and is_provider(provider):
            return self.by_name(name, provider)
        # A bare name, or one with a colon in it such as qwen3:8b.
        if is_openai_itself(self._url):
            return responses_model(name, self.client(), cache_key=self._cache_key)
        return compatible_model(name, self.client())

    def client(self) -> FastAsyncOpenAI:
        if self._client is None:
            if is_openai_itself(self._url) and not self._api_key:
                raise BadModel("OPENAI_API_KEY is not set, and OpenAI answers nobody without one.")
            self._client = open_client(self._url, self._api_key, self._patience)
            self._on_close.append(self._client.close)
        return self._client

    def by_name(self, name: str, provider: str) -> LibraryModel:
        try:
            model = infer_model(name)
        except ImportError:
            raise BadModel(
                f"The model {name} needs a package that is not installed: pip install 'replyline[{provider}]', "
                f"or 'pydantic-ai-slim[{provider}]' where Replyline has no extra of that name."
            ) from None
        except (UserError, ValueError) as error:
            raise BadModel(f"The model {name} cannot be set up. {str(error).splitlines()[0]}") from None
        self._on_close.append(lambda: enter_and_leave(model))
        return model


def is_provider(word: str) -> bool:
    try:
        infer_provider_class(word)
    except ValueError:
        return False
    except ImportError:
        return True  # known, and its package is missing
    return True


async def enter_and_leave(model: LibraryModel) -> None:
    """The library closes the connections it opened only when a model is left."""
    async with model:
        pass


def with_fallback(models: list[LibraryModel]) -> LibraryModel:
    return FallbackModel(models[0], *models[1:], fallback_on=(ModelAPIError, UnexpectedModelBehavior, *NONSENSE))
