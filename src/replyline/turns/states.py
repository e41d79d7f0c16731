"""What a turn is made of: its states and its steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from replyline.llm.prompt import ToolCall


class TurnState(StrEnum):
    """How far an answer has come."""

    RUNNING = "running"  # being worked out, or interrupted by a crash and about to go on
    WAITING = "waiting"  # a person of the business has to decide something first
    DONE = "done"  # the reply is queued
    DROPPED = "dropped"  # nobody is answered: they opted out, or a person took over
    FAILED = "failed"  # the person got the fallback text


class StepKind(StrEnum):
    """What happened in a step."""

    MODEL = "model"  # the model answered
    ACTION = "action"  # an action was called
    CHECK = "check"  # our own check sent the draft back
    HEAR = "hear"  # the model was asked whether a text asks to get no more of them
    TEXTS = "texts"  # more texts came in and joined the turn


class StepState(StrEnum):
    """Whether a step's effect is known."""

    STARTED = "started"  # it may have taken effect; call it again with the same key
    ENDED = "ended"  # its output is final
    PAUSED = "paused"  # a person has been asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that happened in a turn, recorded as soon as it ended."""

    id: str
    turn_id: str
    position: int
    kind: StepKind
    key: str  # unique within the turn; an action's `once`
    name: str  # the action, or the model
    state: StepState
    input: str | None = None
    output: str | None = None
    error: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    decided_by: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What the model said, as its step keeps it."""

    text: str
    calls: tuple[ToolCall, ...]
    finish: str
    message: str  # the model layer's own form, given back to it when the turn goes on


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A text the turn answers."""

    id: str
    body: str
    has_pictures: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A text from before the turn."""

    by: Literal["contact", "us"]
    body: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A turn that was begun or taken up again, with everything it needs from the database."""

    id: str
    conversation_id: str
    contact_id: str
    contact_name: str | None
    contact_notes: dict[str, Any]
    phone: str
    our_address: str
    messaging_service_sid: str | None
    created_at: datetime
    deadline_at: datetime
    runs: int
    has_held: bool  # the holding text went out already
    record: dict[str, Any] | None  # what the model is told of the contact: the same for the whole turn
    is_record_kept: bool  # it is in the database, so a resumed turn tells the model the same
    inputs: Sequence[Input]
    steps: Sequence[Step]
    history: Sequence[Earlier]
