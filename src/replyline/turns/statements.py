"""A turn's rows: the statements that read and write them, and their shapes in Python."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from replyline.conversations.delivery import Status
from replyline.db.columns import AnyRow, Json, UtcTime
from replyline.db.tables import contacts, conversations, opt_outs, steps, texts, turns
from replyline.turns.states import Earlier, Input, Step, StepKind, StepState, TurnState
from replyline.work import Claimed, LostLease
from replyline.work.queue import held

MOST_HISTORY = 40  # texts looked at; the token budget decides how many the model is shown


def check_lease(conn: Connection, job: Claimed) -> None:
    if not held(conn, [job]):
        raise lost(job)


def lost(job: Claimed) -> LostLease:
    return LostLease(f"The turn of {job.key} belongs to another worker now.")


def reason_to_drop(conversation: AnyRow) -> str | None:
    if conversation.opted_out_since is not None:
        return "they have opted out"
    return "a person answers here" if conversation.taken_over_by else None


def history_before(conn: Connection, conversation_id: str, inputs: Sequence[AnyRow]) -> list[Earlier]:
    rows = conn.execute(
        HISTORY,
        {"conversation_id": conversation_id, "inputs": [each.id for each in inputs], "most": MOST_HISTORY},
    ).all()
    return [
        Earlier(by="contact" if row.is_inbound else "us", body=row.body, at=row.created_at) for row in reversed(rows)
    ]


def steps_of(conn: Connection, turn_id: str) -> list[Step]:
    rows = conn.execute(STEPS, {"turn": turn_id}).all()
    return [
        Step(
            id=row.id,
            turn_id=row.turn_id,
            position=row.position,
            kind=StepKind(row.kind),
            key=row.key,
            name=row.name,
            state=StepState(row.state),
            input=row.input,
            output=row.output,
            error=row.error,
            started_at=row.started_at,
            ended_at=row.ended_at,
            decided_by=row.decided_by,
        )
        for row in rows
    ]


def as_input(row: AnyRow) -> Input:
    return Input(id=row.id, body=row.body, has_pictures=bool(row.media))


def step_row(step: Step) -> dict[str, Any]:
    row = {
        "id": step.id,
        "turn_id": step.turn_id,
        "position": step.position,
        "kind": step.kind.value,
        "key": step.key,
        "name": step.name,
        "state": step.state.value,
        "input": step.input,
        "output": step.output,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "model": None,
        "input_tokens": None,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "output_tokens": None,
        "cost_micros": None,
    }
    return row | step.usage


def end_row(step: Step) -> dict[str, Any]:
    return {
        "step_id": step.id,
        "to": step.state.value,
        "said": step.output,
        "trouble": step.error,
        "at": step.ended_at,
    }


_conversation = (
    select(
        conversations.c.id,
        conversations.c.line,
        conversations.c.contact_id,
        conversations.c.phone,
        conversations.c.our_address,
        conversations.c.taken_over_by,
        conversations.c.quick_answers,
        conversations.c.last_answer_at,
        contacts.c.name,
        contacts.c.notes,
        opt_outs.c.since.label("opted_out_since"),
    )
    .join(contacts, contacts.c.id == conversations.c.contact_id)
    .outerjoin(opt_outs, and_(opt_outs.c.line == conversations.c.line, opt_outs.c.phone == conversations.c.phone))
)
GET_CONVERSATION = _conversation.where(conversations.c.id == bindparam("conversation_id"))
GET_CONVERSATIONS = _conversation.where(conversations.c.id.in_(bindparam("ids", expanding=True)))
_input = select(
    texts.c.id,
    texts.c.conversation_id,
    texts.c.body,
    texts.c.media,
    texts.c.messaging_service_sid,
    texts.c.created_at,
    texts.c.found_at,
)
_unanswered = (texts.c.is_inbound, texts.c.handled_at.is_(None), texts.c.turn_id.is_(None))
UNANSWERED = _input.where(texts.c.conversation_id == bindparam("conversation_id"), *_unanswered).order_by(
    texts.c.created_at, texts.c.id
)
NEW_TEXTS = _input.where(texts.c.conversation_id.in_(bindparam("ids", expanding=True)), *_unanswered).order_by(
    texts.c.created_at, texts.c.id
)
INPUTS = _input.where(texts.c.turn_id == bindparam("turn"), texts.c.is_inbound).order_by(texts.c.created_at, texts.c.id)
JOIN_TURN = update(texts).where(texts.c.id.in_(bindparam("ids", expanding=True))).values(turn_id=bindparam("turn"))
HANDLED_BY = (
    update(texts)
    .where(texts.c.turn_id == bindparam("turn"), texts.c.is_inbound, texts.c.handled_at.is_(None))
    .values(handled_at=bindparam("at", type_=UtcTime))
)
# What never reached the person is no part of the conversation.
_never_said = [Status.REFUSED.value, Status.CANCELED.value, Status.FAILED.value, Status.EXPIRED.value]
HISTORY = (
    select(texts.c.is_inbound, texts.c.body, texts.c.created_at)
    .where(
        texts.c.conversation_id == bindparam("conversation_id"),
        texts.c.id.not_in(bindparam("inputs", expanding=True)),
        texts.c.status.not_in(_never_said),
        texts.c.body != "",
    )
    .order_by(texts.c.created_at.desc(), texts.c.id.desc())
    .limit(bindparam("most"))
)
OPEN_TURNS = (
    select(turns)
    .where(turns.c.conversation_id == bindparam("conversation_id"), turns.c.state == TurnState.RUNNING.value)
    .order_by(turns.c.created_at)
    .limit(2)
)
ADD_TURN = insert(turns)
TAKE_UP = (
    update(turns)
    .where(turns.c.id == bindparam("turn"))
    .values(deadline_at=bindparam("deadline", type_=UtcTime), runs=bindparam("times"), why=None)
)
END_TURN = (
    update(turns)
    .where(turns.c.id == bindparam("turn"))
    .values(
        state=bindparam("to"),
        outcome=bindparam("outcome"),
        why=bindparam("because"),
        ended_at=bindparam("at", type_=UtcTime),
    )
)
NOTE_TROUBLE = update(turns).where(turns.c.id == bindparam("turn")).values(why=bindparam("because"))
FIX_RECORD = update(turns).where(turns.c.id == bindparam("turn")).values(record=bindparam("data", type_=Json))
HOLDING = select(turns.c.holding_text_id).where(turns.c.id == bindparam("turn"))
HELD_WITH = update(turns).where(turns.c.id == bindparam("turn")).values(holding_text_id=bindparam("text_id"))
COUNT_ANSWER = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation_id"))
    .values(quick_answers=bindparam("quick"), last_answer_at=bindparam("at", type_=UtcTime))
)
STEPS = select(steps).where(steps.c.turn_id == bindparam("turn")).order_by(steps.c.position)
ADD_STEP = insert(steps)
END_STEP = (
    update(steps)
    .where(steps.c.id == bindparam("step_id"))
    .values(
        state=bindparam("to"),
        output=bindparam("said"),
        error=bindparam("trouble"),
        ended_at=bindparam("at", type_=UtcTime),
    )
)
DECIDE = (
    update(steps)
    .where(steps.c.id == bindparam("step_id"), steps.c.state == StepState.PAUSED.value)
    .values(state=StepState.STARTED.value, decided_by=bindparam("verdict"), output=None)
    .returning(steps.c.turn_id)
)
REOPEN_TURN = (
    update(turns)
    .where(turns.c.id == bindparam("turn"))
    .values(state=TurnState.RUNNING.value, deadline_at=bindparam("deadline", type_=UtcTime), why="a person decided")
    .returning(turns.c.conversation_id)
)
UNDECIDED = (
    select(steps.c.id, steps.c.name, steps.c.output.label("question"), steps.c.started_at)
    .where(steps.c.state == StepState.PAUSED.value)
    .order_by(steps.c.started_at)
)
