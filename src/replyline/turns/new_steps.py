"""Making the steps that a turn records."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from replyline.characters import storable
from replyline.db import new_id
from replyline.llm.prompt import Answer, ToolCall, Usage
from replyline.turns.progress import MOST_CALLS, keep
from replyline.turns.states import Begun, Step, StepKind, StepState

MOST_COUNTED = 2**31 - 1  # of a four-byte integer


def answered(turn: Begun, answer: Answer, started_at: datetime, now: datetime) -> Step:
    """The model answered."""
    position = len(turn.steps)
    return Step(
        id=new_id("stp"),
        turn_id=turn.id,
        position=position,
        kind=StepKind.MODEL,
        key=f"model:{position}",
        name=storable(answer.usage.model)[:100],
        state=StepState.ENDED,
        output=keep(answer),
        started_at=started_at,
        ended_at=now,
        usage=counted(answer.usage),
    )


def counted(usage: Usage) -> dict[str, Any]:
    """What an answer used up, within what the columns hold: a server that counts wrongly must not stop the turn."""
    return {
        "model": storable(usage.model)[:100],
        "input_tokens": within(usage.input_tokens),
        "cached_tokens": within(usage.cached_tokens),
        "cache_write_tokens": within(usage.cache_write_tokens),
        "output_tokens": within(usage.output_tokens),
        "cost_micros": None if usage.cost_micros is None else within(usage.cost_micros),
    }


def within(count: int) -> int:
    return min(max(count, 0), MOST_COUNTED)


def started(answer: Step, calls: Sequence[ToolCall], now: datetime) -> list[Step]:
    """The actions an answer asks for, each with the key that makes a second call harmless."""
    return [action(answer, n, call, now) for n, call in enumerate(calls)]


def action(answer: Step, n: int, call: ToolCall, now: datetime) -> Step:
    is_too_many = n >= MOST_CALLS
    return Step(
        id=new_id("stp"),
        turn_id=answer.turn_id,
        position=answer.position + 1 + n,
        kind=StepKind.ACTION,
        # By its place: servers repeat their call ids, even within one answer, or give none.
        key=f"{answer.position}:{n}",
        name=storable(call.name)[:100],
        state=StepState.ENDED if is_too_many else StepState.STARTED,
        input=storable(call.arguments),
        output="error: too many calls at once." if is_too_many else None,
        started_at=now,
        ended_at=now if is_too_many else None,
    )


def heard(
    turn: Begun, text_id: str, asks: str, model: str, usage: Usage | None, started_at: datetime, now: datetime
) -> Step:
    """The model said whether a text asks to get no more of them."""
    return Step(
        id=new_id("stp"),
        turn_id=turn.id,
        position=len(turn.steps),
        kind=StepKind.HEAR,
        key=f"hear:{text_id}",
        name=storable(model)[:100],
        state=StepState.ENDED,
        input=text_id,
        output=asks,
        started_at=started_at,
        ended_at=now,
        usage=counted(usage) if usage else {},
    )


def check(turn: Begun, complaint: str, now: datetime) -> Step:
    """Our own check sends the draft back."""
    position = len(turn.steps)
    return Step(
        id=new_id("stp"),
        turn_id=turn.id,
        position=position,
        kind=StepKind.CHECK,
        key=f"check:{position}",
        name="check",
        state=StepState.ENDED,
        output=complaint,
        started_at=now,
        ended_at=now,
    )
