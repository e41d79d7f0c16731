"""Asks a model for its next answer. This is the door the turn uses."""

from collections.abc import Sequence
from typing import Protocol

from replyline.llm.prompt import Answer, Prompt, PromptPart, Tool


class Model(Protocol):
    """Something that answers prompts: a provider's model, the scripted one, or a test's."""

    @property
    def name(self) -> str: ...

    async def answer(self, prompt: Prompt) -> Answer:
        """The next answer. Raises a `ModelError`."""

    async def close(self) -> None:
        """Let go of connections. Once, when the process ends."""


async def ask(
    model: Model,
    *,
    instructions: str,
    turns: Sequence[PromptPart],
    tools: Sequence[Tool] = (),
    sees_pictures: bool = True,
    safety_identifier: str | None = None,
) -> Answer:
    """The model's next answer in this turn. Raises `ModelUnavailable`, `ModelRefused` or `ModelFiltered`.

    `turns` go in order: `Said` history, the `Record`, the new `Texts`, then this turn's `Answered`, `Result`, `Check`.
    Keep the beginning byte for byte the same between the asks of a turn: providers charge less for what they know.
    """
    return await model.answer(
        Prompt(
            instructions=instructions,
            turns=turns,
            tools=tools,
            sees_pictures=sees_pictures,
            safety_identifier=safety_identifier,
        )
    )
