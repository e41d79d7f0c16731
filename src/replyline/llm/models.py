"""Builds the model that answers, by name. A provider's library takes seconds to load, so that waits until then."""

from replyline.llm.ask import Model


def build_model(
    *,
    model: str,
    api_key: str | None,
    base_url: str | None = None,
    fallback_model: str | None = None,
    cache_key: str = "replyline",
    attempt_seconds: float = 20.0,
    deadline_seconds: float = 25.0,
    retries: int = 2,
) -> Model:
    """The model called `model`, and `fallback_model` for when it fails. Close it when the process ends.

    A bare name is asked for at `base_url`, or at OpenAI. `openai:NAME` and `openai-chat:NAME` choose the wire there:
    Responses or Chat Completions. `anthropic:NAME`, `google:NAME` and others are built by that provider's own package,
    with the key that package reads from the environment. Raises `BadModel` with one sentence.

    An HTTP request may take `attempt_seconds`, and is sent again `retries` times after connection errors, 408, 409, 429
    and 5xx, when Retry-After says so. An answer of one model may take `deadline_seconds` over all of that.
    """
    from replyline.llm.builder import Builder
    from replyline.llm.endpoints import Patience

    builder = Builder(
        api_key=api_key,
        base_url=base_url,
        patience=Patience(attempt=attempt_seconds, retries=retries),
        cache_key=cache_key,
    )
    return builder.build(model, fallback_model, deadline=deadline_seconds)
