"""A turn's rows: the statements that read and write them, and their shapes in Python."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, update

from replyline.db.columns import AnyRow, Json, UtcTime, from_micros, micros
from replyline.db.sets import SetStatement
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
    if conversation.opted_out_since is not None and conversation.clarifies_until is None:
        return "they have opted out"
    return "a person answers here" if conversation.taken_over_by else None


def by_conversation(conn: Connection, statement: Any, ids: Sequence[str]) -> dict[str, list[AnyRow]]:
    """The rows a statement finds for these conversations, of each in their order."""
    found: dict[str, list[AnyRow]] = {}
    for row in conn.execute(statement, {"ids": sorted(ids)}) if ids else ():
        found.setdefault(row.conversation_id, []).append(row)
    return found


def histories_before(conn: Connection, inputs: Mapping[str, Sequence[AnyRow]]) -> dict[str, list[Earlier]]:
    """What was said in each conversation before these inputs, oldest first."""
    most = MOST_HISTORY + max((len(rows) for rows in inputs.values()), default=0)
    histories: dict[str, list[Earlier]] = {conversation_id: [] for conversation_id in inputs}
    new = {row.id for rows in inputs.values() for row in rows}
    for conversation_id, text_id, is_inbound, body, at in sorted(
        HISTORY(conn, [(each,) for each in sorted(inputs)], most), key=lambda row: (row[4], row[1])
    ):
        if text_id not in new:
            earlier = Earlier(by="contact" if is_inbound else "us", body=body, at=from_micros(at))
            histories[conversation_id].append(earlier)
    return {conversation_id: history[-MOST_HISTORY:] for conversation_id, history in histories.items()}


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


def step_row(step: Step) -> tuple[Any, ...]:
    used = step.usage
    return (
        step.id,
        step.turn_id,
        step.position,
        step.kind.value,
        step.key,
        step.name,
        step.state.value,
        step.input,
        step.output,
        micros(step.started_at),
        None if step.ended_at is None else micros(step.ended_at),
        used.get("model"),
        used.get("input_tokens"),
        used.get("cached_tokens"),
        used.get("cache_write_tokens"),
        used.get("output_tokens"),
        used.get("cost_micros"),
    )


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
        conversations.c.clarifies_until,
    )
    .join(contacts, contacts.c.id == conversations.c.contact_id)
    .outerjoin(
        opt_outs,
        and_(
            opt_outs.c.line == conversations.c.line,
            opt_outs.c.phone == conversations.c.phone,
            opt_outs.c.scope == "all",
        ),
    )
)
GET_CONVERSATION = _conversation.where(conversations.c.id == bindparam("conversation_id"))
GET_CONVERSATIONS = _conversation.where(conversations.c.id.in_(bindparam("ids", expanding=True)))
CLARIFIED = (
    update(conversations).where(conversations.c.id.in_(bindparam("ids", expanding=True))).values(clarifies_until=None)
)
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
UNANSWERED = _input.where(texts.c.conversation_id.in_(bindparam("ids", expanding=True)), *_unanswered).order_by(
    texts.c.created_at, texts.c.id
)
INPUTS = _input.where(texts.c.turn_id == bindparam("turn"), texts.c.is_inbound).order_by(texts.c.created_at, texts.c.id)
JOIN_TURN = SetStatement(
    """
    WITH joined(id, turn_id) AS ({rows})
    UPDATE texts SET turn_id = joined.turn_id FROM joined WHERE texts.id = joined.id
    """,
    [texts.c.id, texts.c.turn_id],
)
HANDLED_BY = SetStatement(
    """
    WITH handled(turn_id, handled_at) AS ({rows})
    UPDATE texts SET handled_at = handled.handled_at FROM handled
    WHERE texts.turn_id = handled.turn_id AND texts.is_inbound AND texts.handled_at IS NULL
    """,
    [texts.c.turn_id, texts.c.handled_at],
)
# What never reached the person is no part of the conversation.
HISTORY = SetStatement(
    """
    WITH wanted(id) AS ({rows})
    SELECT said.conversation_id, said.id, said.is_inbound, said.body, said.created_at
    FROM wanted CROSS JOIN LATERAL (
        SELECT * FROM texts
        WHERE conversation_id = wanted.id AND body <> '' AND status NOT IN ('refused', 'canceled', 'failed', 'expired')
        ORDER BY created_at DESC, id DESC LIMIT {value}
    ) said
    """,
    [conversations.c.id],
    on_sqlite="""
    WITH wanted(id) AS ({rows})
    SELECT said.conversation_id, said.id, said.is_inbound, said.body, said.created_at
    FROM wanted CROSS JOIN texts said ON said.rowid IN (
        SELECT rowid FROM texts
        WHERE conversation_id = wanted.id AND body <> '' AND status NOT IN ('refused', 'canceled', 'failed', 'expired')
        ORDER BY created_at DESC, id DESC LIMIT {value}
    )
    """,
)
OPEN_TURNS = (
    select(turns)
    .where(turns.c.conversation_id.in_(bindparam("ids", expanding=True)), turns.c.state == TurnState.RUNNING.value)
    .order_by(turns.c.created_at)
)
ADD_TURN = SetStatement(
    "INSERT INTO turns (id, line, conversation_id, state, created_at, deadline_at) {rows}",
    [turns.c.id, turns.c.line, turns.c.conversation_id, turns.c.state, turns.c.created_at, turns.c.deadline_at],
)
TAKE_UP = (
    update(turns)
    .where(turns.c.id == bindparam("turn"))
    .values(deadline_at=bindparam("deadline", type_=UtcTime), runs=bindparam("times"), why=None)
)
END_TURN = SetStatement(
    """
    WITH ended(id, state, outcome, why, ended_at) AS ({rows})
    UPDATE turns SET state = ended.state, outcome = ended.outcome, why = ended.why, ended_at = ended.ended_at
    FROM ended WHERE turns.id = ended.id
    """,
    [turns.c.id, turns.c.state, turns.c.outcome, turns.c.why, turns.c.ended_at],
)
NOTE_TROUBLE = update(turns).where(turns.c.id == bindparam("turn")).values(why=bindparam("because"))
FIX_RECORD = update(turns).where(turns.c.id == bindparam("turn")).values(record=bindparam("data", type_=Json))
HOLDING = select(turns.c.holding_text_id).where(turns.c.id == bindparam("turn"))
HELD_WITH = update(turns).where(turns.c.id == bindparam("turn")).values(holding_text_id=bindparam("text_id"))
COUNT_ANSWER = SetStatement(
    """
    WITH answered(id, quick_answers, last_answer_at) AS ({rows})
    UPDATE conversations SET quick_answers = answered.quick_answers, last_answer_at = answered.last_answer_at
    FROM answered WHERE conversations.id = answered.id
    """,
    [conversations.c.id, conversations.c.quick_answers, conversations.c.last_answer_at],
)
STEPS = select(steps).where(steps.c.turn_id == bindparam("turn")).order_by(steps.c.position)
_STEP = [
    steps.c.id,
    steps.c.turn_id,
    steps.c.position,
    steps.c.kind,
    steps.c.key,
    steps.c.name,
    steps.c.state,
    steps.c.input,
    steps.c.output,
    steps.c.started_at,
    steps.c.ended_at,
    steps.c.model,
    steps.c.input_tokens,
    steps.c.cached_tokens,
    steps.c.cache_write_tokens,
    steps.c.output_tokens,
    steps.c.cost_micros,
]
ADD_STEP = SetStatement(f"INSERT INTO steps ({', '.join(column.name for column in _STEP)}) {{rows}}", _STEP)
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
