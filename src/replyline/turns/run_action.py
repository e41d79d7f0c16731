"""Calling one of the business's functions for the model, and wording how it ended."""

import traceback
from dataclasses import dataclass

from replyline.characters import storable
from replyline.clock import Clock
from replyline.db import Db
from replyline.log import get_log
from replyline.plugins.context import ActionContext, Contact
from replyline.plugins.endings import AskAgain, Ending, GiveUp, Pause
from replyline.plugins.line import Line
from replyline.turns.states import Begun, Step, StepState

log = get_log(__name__)

LONGEST_OUTPUT = 20_000  # characters of what an action returns; a model reads all of it at every further answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How an action ended: what the model reads, and what only the operator does."""

    state: StepState
    output: str
    error: str | None = None


async def run_action(step: Step, turn: Begun, line: Line, db: Db, clock: Clock) -> Ended:
    """Call the step's action with the step's key; a second call with the same key must change nothing."""
    action = line.actions.get(step.name)
    if action is None:
        known = ", ".join(line.actions) or "none"
        return Ended(state=StepState.ENDED, output=f"error: there is no action named {step.name}; there are: {known}.")
    try:
        output = shortened(storable(await action.call(context_of(step, turn, line, db, clock), step.input or "{}")))
    except AskAgain as ending:
        return Ended(state=StepState.ENDED, output=f"error: {words_of(ending)}")
    except GiveUp as ending:
        return Ended(state=StepState.ENDED, output=f"error: this cannot be done; tell the person: {words_of(ending)}")
    except Pause as ending:
        return Ended(state=StepState.PAUSED, output=words_of(ending))
    except TimeoutError:
        log.error("action_too_slow", turn=turn.id, action=step.name, seconds=action.time_limit)
        return Ended(
            state=StepState.ENDED,
            output="error: it took too long, and may or may not have happened; say that somebody will check.",
            error=f"No end within {action.time_limit:g} s.",
        )
    except Exception as error:  # the business's own code: the operator gets all of it, the model and the person none
        log.error("action_failed", turn=turn.id, step=step.id, action=step.name, error=type(error).__name__)
        return Ended(
            state=StepState.ENDED,
            output="error: it failed. Say so, and that somebody will get back to them.",
            error=shortened(storable("".join(traceback.format_exception(error)))),
        )
    return Ended(state=StepState.ENDED, output=output)


def words_of(ending: Ending) -> str:
    return shortened(storable(str(ending)))


def shortened(text: str) -> str:
    """What is far too long for a model to read is cut, and says so."""
    if len(text) <= LONGEST_OUTPUT:
        return text
    return f"{text[:LONGEST_OUTPUT]}... (cut here: {len(text)} characters in all)"


def context_of(step: Step, turn: Begun, line: Line, db: Db, clock: Clock) -> ActionContext:
    return ActionContext(
        contact=Contact(id=turn.contact_id, phone=turn.phone, name=turn.contact_name, notes=turn.contact_notes),
        line=line,
        clock=clock,
        db=db,
        turn=turn.id,
        conversation=turn.conversation_id,
        once=f"{turn.id}:{step.key}",
        decision=decision_of(step),
    )


def decision_of(step: Step) -> bool | None:
    """What a person decided after `Pause`; their name is kept as `yes:NAME` or `no:NAME`."""
    return None if step.decided_by is None else step.decided_by.startswith("yes:")
