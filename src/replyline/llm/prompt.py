"""What a model is asked and what it answers, as plain records that know no provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Finish = Literal["stop", "length", "content_filter", "tool_call", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """An earlier text of the conversation."""

    by: Literal["contact", "us"]
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What we know of the contact and the moment. Data: it is fenced off so that it cannot command."""

    data: Mapping[str, Any]  # goes out as JSON; the same value gives the same bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture the contact sent. The media type was read from the bytes, not from a header."""

    media_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """The contact's new texts, which this turn answers."""

    texts: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()
    unseen: int = 0  # what else was attached: too large, of another type, too many, or lost


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An earlier answer of this turn, as `Answer.message` gave it."""

    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What an action returned for one of the answer's calls."""

    call_id: str
    name: str
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What our own check of the draft found, such as "That is 3 segments; say it in 2."."""

    text: str


PromptPart = Said | Record | Texts | Answered | Result | Check


# Compared by identity: the provider's form of a line's tools is worked out once and kept, so keep yours too.
@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tool:
    """An action as the model sees it."""

    name: str
    description: str
    parameters: Mapping[str, Any]  # a JSON schema of an object


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """All that a model is shown for one answer."""

    instructions: str
    turns: Sequence[PromptPart]
    tools: Sequence[Tool]
    sees_pictures: bool
    safety_identifier: str | None  # stands for the contact at the provider; a keyed hash, never a phone number


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one answer used up."""

    model: str
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int | None  # millionths of a dollar; none when the price is not known


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """An action the model wants taken."""

    id: str
    name: str
    arguments: str  # JSON, as the model wrote it


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the model said, wants done, and used up."""

    text: str
    calls: tuple[ToolCall, ...]
    finish: Finish
    usage: Usage
    message: str  # JSON; store it, and give it back in `Answered` when the turn goes on
