"""What a turn does next, told from its recorded steps alone. A crash changes nothing: the steps are all there is."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from replyline.characters import storable
from replyline.llm.prompt import Answer, ToolCall
from replyline.turns.states import Draft, Step, StepKind, StepState
from replyline.turns.text_triggers import find_triggers, match_action

MOST_ANSWERS = 6  # of the model in one turn
MOST_CALLS = 5  # of actions in one answer
# Five times the longest text: what comes after cannot be sent, and looking for markdown in a book takes seconds.
LONGEST_DRAFT = 8_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Ask the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Call these actions; they were started, and their ends are not recorded."""

    steps: Sequence[Step]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The model has said what to text; look whether it can go out."""

    draft: Draft
    sent_back: int  # how often a draft was sent back already


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPerson:
    """A person was asked and has not decided."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exhausted:
    """The model goes round in circles."""


Move = Ask | Act | Reply | AskPerson | Exhausted


def next_move(steps: Sequence[Step]) -> Move:
    """The next thing to do in a turn with these steps."""
    last = max((n for n, step in enumerate(steps) if step.kind is StepKind.MODEL), default=None)
    if last is None:
        return Ask()
    since = steps[last + 1 :]
    if any(step.state is StepState.PAUSED for step in steps):
        return AskPerson()
    started = [step for step in steps if step.kind is StepKind.ACTION and step.state is StepState.STARTED]
    if started:
        return Act(steps=started)
    if since:  # results, a check or more texts: the model has something new to read
        answers = sum(step.kind is StepKind.MODEL for step in steps)
        return Ask() if answers < MOST_ANSWERS else Exhausted()
    sent_back = sum(step.kind is StepKind.CHECK for step in steps)
    return Reply(draft=draft_of(steps[last]), sent_back=sent_back)


def wanted_calls(draft: Draft, actions: Collection[str]) -> tuple[ToolCall, ...]:
    """The actions an answer asks for: as tool calls, or in its text for models that have no tools."""
    if draft.calls:
        return draft.calls
    _, triggers = find_triggers(draft.text)
    found = [(match_action(trigger.name, actions), trigger) for trigger in triggers]
    return tuple(
        ToolCall(id=f"text-{n}", name=name, arguments=json.dumps(trigger.arguments))
        for n, (name, trigger) in enumerate(found)
        if name is not None
    )


def keep(answer: Answer) -> str:
    """A model's answer as its step stores it."""
    return json.dumps(
        {
            "text": storable(answer.text[:LONGEST_DRAFT]),
            "calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.calls],
            "finish": answer.finish,
            "message": answer.message,
        }
    )


def draft_of(step: Step) -> Draft:
    kept = json.loads(step.output or "{}")
    return Draft(
        text=kept["text"],
        calls=tuple(ToolCall(**call) for call in kept["calls"]),
        finish=kept["finish"],
        message=kept["message"],
    )
