"""Models behind an OpenAI-compatible endpoint: OpenAI's own, or any other by its URL."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient
from pydantic_ai.models import Model
from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.profiles.openai import OpenAIModelProfile, openai_model_profile
from pydantic_ai.providers import Provider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from replyline.llm.fast_openai import FastAsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long an endpoint is waited for, and how often it is asked again."""

    attempt: float  # seconds for one HTTP request
    retries: int  # after connection errors, 408, 409, 429 and 5xx; Retry-After is obeyed


def is_openai_itself(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")  # eu.api.openai.com and its like


def open_client(url: str, api_key: str | None, patience: Patience) -> FastAsyncOpenAI:
    """The one client of this endpoint, for the life of the process."""
    # aiohttp underneath: with 2,000 requests open, httpx2's own pool took six times the CPU.
    http = DefaultAioHttpClient(
        limits=httpx2.Limits(max_connections=2000, max_keepalive_connections=500),
        timeout=httpx2.Timeout(patience.attempt, connect=5),
    )
    client = FastAsyncOpenAI(
        base_url=url,
        # Never none: the client would then read OPENAI_API_KEY by itself, and that may be the key of another endpoint.
        api_key=api_key or "none",
        http_client=http,
        max_retries=patience.retries,
        timeout=httpx2.Timeout(patience.attempt, connect=5),
    )
    if not is_openai_itself(url):
        client.organization = client.project = None  # read from OPENAI_ORG_ID and OPENAI_PROJECT_ID
    return client


def responses_model(name: str, client: FastAsyncOpenAI, *, cache_key: str) -> Model:
    """The Responses API, which OpenAI recommends and which alone has tools together with reasoning."""
    settings = OpenAIResponsesModelSettings(
        openai_store=False,  # the default keeps every text at OpenAI for 30 days
        openai_prompt_cache_key=cache_key,
        openai_prompt_cache_diagnostics=False,
        parallel_tool_calls=False,
    )
    if reasons(name):  # other models refuse both
        settings["openai_reasoning_effort"] = "low"
        settings["openai_text_verbosity"] = "low"
    return OpenAIResponsesModel(name, provider=provider_of(client), settings=settings)


def chat_model(name: str, client: FastAsyncOpenAI) -> Model:
    """Chat Completions as OpenAI itself speaks it."""
    settings = OpenAIChatModelSettings(openai_store=False, parallel_tool_calls=False)
    if reasons(name):
        settings["openai_reasoning_effort"] = "none"  # OpenAI has no tools with reasoning on this wire
    return OpenAIChatModel(name, provider=provider_of(client), settings=settings)


def compatible_model(name: str, client: FastAsyncOpenAI) -> Model:
    """Chat Completions with nothing that only OpenAI understands: vLLM, llama.cpp, Ollama, LM Studio, gateways."""
    return OpenAIChatModel(
        name,
        provider=OpenAICompatibleProvider("compatible", openai_client=client),
        profile=OpenAIModelProfile(
            openai_chat_supports_max_completion_tokens=False, openai_supports_strict_tool_definition=False
        ),
        settings=None if reasons(name) else OpenAIChatModelSettings(temperature=0.2),
    )


def provider_of(client: FastAsyncOpenAI) -> Provider[AsyncOpenAI]:
    """Elsewhere the name says so: OpenAI's prices and stored items are not theirs."""
    if is_openai_itself(str(client.base_url)):
        return OpenAIProvider(openai_client=client)
    return OpenAICompatibleProvider("compatible", openai_client=client)


def reasons(name: str) -> bool:
    profile = openai_model_profile(name)
    return bool(profile and profile.get("openai_supports_reasoning"))
