"""A turn's rows. Each function is one transaction, and nothing is written without the lease."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from replyline.conversations import pictures, store
from replyline.conversations.delivery import Status
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import AnyRow, Json, UtcTime
from replyline.db.tables import contacts, conversations, opt_outs, steps, texts, turns
from replyline.errors import ReplylineError
from replyline.outbound.queue import NewText, queue_text
from replyline.plugins.line import Line
from replyline.rules.facts import Purpose
from replyline.turns.schedule import KIND
from replyline.turns.states import Begun, Earlier, Input, Step, StepKind, StepState, TurnState
from replyline.work import Claimed, LostLease, arm, finish, later
from replyline.work.queue import held

MOST_HISTORY = 40  # texts looked at; the token budget decides how many the model is shown
PICTURE_PATIENCE = timedelta(seconds=20)  # how long a turn waits for pictures that are being fetched
PICTURE_WAIT = timedelta(seconds=0.3)
MOST_RUNS = 5  # a turn that took the process down this often is answered with the fallback text

# Two machines that answer each other: this many answers in a row, each soon after the last, and we fall silent for a
# while. Twilio's own guard (14107) stops after 15 within 30 s of each other, and then fails for everyone.
LOOP_ANSWERS = 10
LOOP_GAP = timedelta(seconds=30)
LOOP_REST = timedelta(minutes=5)


class NothingToDecide(ReplylineError):
    """No action waits for a decision under that id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What a turn writes down as it goes: steps that happened or began, and steps that ended."""

    job: Claimed
    turn: Begun
    add: Sequence[Step] = ()
    end: Sequence[Step] = ()
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """Whether the turn goes on, and what joined it meanwhile."""

    joined: Sequence[Input] = ()
    joined_step: Step | None = None
    dropped: str | None = None  # why nobody is answered any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a turn ends: what is texted, if anything, and why."""

    job: Claimed
    turn: Begun
    add: Sequence[Step] = ()
    reply: str | None
    state: TurnState
    outcome: str
    why: str | None = None
    waits_for_new: bool = True  # texts that came meanwhile join the turn instead of ending it
    now: datetime


def begin(conn: Connection, job: Claimed, line: Line, now: datetime) -> Begun | None:
    """Begin the conversation's turn, or take up the one a crash left. None: there is nothing to answer now."""
    check_lease(conn, job)
    row = conn.execute(GET_CONVERSATION, {"conversation_id": job.key}).one()
    waiting = conn.execute(UNANSWERED, {"conversation_id": job.key}).all()
    open_turn = conn.execute(OPEN_TURN, {"conversation_id": job.key}).first()
    if open_turn is None and not waiting:
        finish(conn, job, now=now)
        return None
    if why := reason_to_drop(row):
        drop(conn, job, open_turn, waiting, now, why)
        return None
    if open_turn is None:
        if (rest := loop_rest(row, now)) or (rest := picture_rest(conn, waiting, now)):
            later(conn, job, due=rest, keep_attempts=False)
            return None
        return start(conn, line, row, waiting, now)
    return take_up(conn, line, row, open_turn, now)


def start(conn: Connection, line: Line, row: AnyRow, waiting: Sequence[AnyRow], now: datetime) -> Begun:
    turn_id = new_id("trn")
    deadline = now + timedelta(seconds=line.deadline)
    conn.execute(
        ADD_TURN,
        {
            "id": turn_id,
            "line": row.line,
            "conversation_id": row.id,
            "state": TurnState.RUNNING.value,
            "created_at": now,
            "deadline_at": deadline,
        },
    )
    conn.execute(JOIN_TURN, {"ids": [each.id for each in waiting], "turn": turn_id})
    wake(conn, CHANGE)
    return begun(
        conn,
        row,
        waiting,
        [],
        turn_id=turn_id,
        created_at=now,
        deadline_at=deadline,
        runs=1,
        has_held=False,
        record=None,
    )


def take_up(conn: Connection, line: Line, row: AnyRow, turn: AnyRow, now: datetime) -> Begun:
    """Go on with a turn that stopped: the same inputs, the same record, and the steps it has."""
    # One that was put off on purpose keeps its deadline; one that a crash interrupted gets a new one.
    deadline = turn.deadline_at if turn.why else max(turn.deadline_at, now + timedelta(seconds=line.deadline))
    runs = turn.runs if turn.why else turn.runs + 1
    conn.execute(TAKE_UP, {"turn": turn.id, "deadline": deadline, "times": runs})
    return begun(
        conn,
        row,
        conn.execute(INPUTS, {"turn": turn.id}).all(),
        steps_of(conn, turn.id),
        turn_id=turn.id,
        created_at=turn.created_at,
        deadline_at=deadline,
        runs=runs,
        has_held=turn.holding_text_id is not None,
        record=turn.record,
    )


def begun(
    conn: Connection,
    row: AnyRow,
    inputs: Sequence[AnyRow],
    steps: Sequence[Step],
    *,
    turn_id: str,
    created_at: datetime,
    deadline_at: datetime,
    runs: int,
    has_held: bool,
    record: dict[str, Any] | None,
) -> Begun:
    return Begun(
        id=turn_id,
        conversation_id=row.id,
        contact_id=row.contact_id,
        contact_name=row.name,
        contact_notes=row.notes or {},
        phone=row.phone,
        our_address=row.our_address,
        messaging_service_sid=inputs[-1].messaging_service_sid if inputs else None,
        created_at=created_at,
        deadline_at=deadline_at,
        runs=runs,
        has_held=has_held,
        record=record,
        is_record_kept=record is not None,
        inputs=[as_input(each) for each in inputs],
        steps=steps,
        history=history_before(conn, row.id, inputs),
    )


def record_steps(conn: Connection, records: Sequence[Record]) -> list[Going | LostLease]:
    """Write steps down for many turns at once, and say what changed around each meanwhile."""
    still = held(conn, [record.job for record in records])
    ours = [record for record in records if (record.job.kind, record.job.key) in still]
    if fresh := [{"turn": r.turn.id, "data": r.turn.record} for r in ours if not r.turn.is_record_kept]:
        conn.execute(FIX_RECORD, fresh)
    if added := [step_row(step) for record in ours for step in record.add]:
        conn.execute(ADD_STEP, added)
    if ended := [end_row(step) for record in ours for step in record.end]:
        conn.execute(END_STEP, ended)
    goings = look_around(conn, ours)
    wake(conn, CHANGE)
    return [goings.get(record.job.key) or lost(record.job) for record in records]


def finish_turns(conn: Connection, endings: Sequence[Ending]) -> list[Going | LostLease | None]:
    """End many turns: reply queued, inputs handled, turn done and lock released, together. `Going`: not yet, see why."""
    still = held(conn, [ending.job for ending in endings])
    ours = [ending for ending in endings if (ending.job.kind, ending.job.key) in still]
    if added := [step_row(step) for ending in ours for step in ending.add]:
        conn.execute(ADD_STEP, added)
    goings = look_around(conn, [ending for ending in ours if ending.waits_for_new])
    results: list[Going | LostLease | None] = []
    for ending in endings:
        going = goings.get(ending.job.key)
        if ending not in ours:
            results.append(lost(ending.job))
        elif going and (going.joined or going.dropped):
            results.append(going)
        else:
            end(conn, ending)
            results.append(None)
    return results


def end(conn: Connection, ending: Ending) -> None:
    """The commit point of a turn."""
    turn, now = ending.turn, ending.now
    row = conn.execute(GET_CONVERSATION, {"conversation_id": turn.conversation_id}).one()
    why = reason_to_drop(row)
    reply = None if why else ending.reply
    if reply:
        queue_text(conn, text_of(turn, row.line, reply), now)
        conn.execute(COUNT_ANSWER, {"conversation_id": row.id, "quick": quick_answers(row, now), "at": now})
    conn.execute(
        END_TURN,
        {
            "turn": turn.id,
            "to": TurnState.DROPPED.value if why else ending.state.value,
            "outcome": "dropped" if why else ending.outcome,
            "because": why or ending.why,
            "at": now if ending.state is not TurnState.WAITING else None,
        },
    )
    conn.execute(HANDLED_BY, {"turn": turn.id, "at": now})
    finish(conn, ending.job, now=now)
    wake(conn, CHANGE)


def put_off(conn: Connection, job: Claimed, turn: Begun, *, due: datetime, why: str) -> None:
    """Try the same turn again at `due`, with the deadline it has."""
    conn.execute(NOTE_TROUBLE, {"turn": turn.id, "because": why})
    later(conn, job, due=due)


def hold(conn: Connection, job: Claimed, turn: Begun, line: Line, now: datetime) -> None:
    """Queue the holding text, once in a turn."""
    check_lease(conn, job)
    if conn.execute(HOLDING, {"turn": turn.id}).scalar() is None:
        text_id = queue_text(conn, text_of(turn, line.key, line.holding_text), now)
        conn.execute(HELD_WITH, {"turn": turn.id, "text_id": text_id})


def decide(conn: Connection, step_id: str, *, approved: bool, by: str, now: datetime) -> None:
    """A person's decision about a paused action: the turn goes on with it. Raises `NothingToDecide`."""
    verdict = f"{'yes' if approved else 'no'}:{by}"
    row = conn.execute(DECIDE, {"step_id": step_id, "verdict": verdict}).first()
    if row is None:
        raise NothingToDecide(
            f"No action waits for a decision under {step_id}; `replyline decisions` lists those that do."
        )
    turn = conn.execute(REOPEN_TURN, {"turn": row.turn_id, "deadline": now + timedelta(seconds=60)}).one()
    arm(conn, kind=KIND, key=turn.conversation_id, due=now, now=now, priority=1)


def undecided(conn: Connection) -> Sequence[AnyRow]:
    """The actions that wait for a person: id, action, question, since when."""
    return conn.execute(UNDECIDED).all()


def look_around(conn: Connection, records: Sequence[Record | Ending]) -> dict[str, Going]:
    """What happened beside each turn: texts that join it now, a STOP, a person who took over."""
    if not records:
        return {}
    by_conversation = {record.job.key: record for record in records}
    rows = conn.execute(GET_CONVERSATIONS, {"ids": sorted(by_conversation)}).all()
    dropped = {row.id: reason_to_drop(row) for row in rows}
    joined: dict[str, list[AnyRow]] = {}
    for row in conn.execute(NEW_TEXTS, {"ids": sorted(by_conversation)}).all():
        joined.setdefault(row.conversation_id, []).append(row)
    goings = {}
    for conversation_id, record in by_conversation.items():
        going = Going(dropped=dropped[conversation_id])
        if conversation_id in joined:
            going = join(conn, record, joined[conversation_id], going)
        goings[conversation_id] = going
    return goings


def join(conn: Connection, record: Record | Ending, rows: Sequence[AnyRow], going: Going) -> Going:
    """Texts that came while the turn ran belong to it from now on."""
    ids = [row.id for row in rows]
    conn.execute(JOIN_TURN, {"ids": ids, "turn": record.turn.id})
    step = Step(
        id=new_id("stp"),
        turn_id=record.turn.id,
        position=len(record.turn.steps) + len(record.add),
        kind=StepKind.TEXTS,
        key=f"texts:{ids[0]}",
        name="texts",
        state=StepState.ENDED,
        output=json.dumps(ids),
        started_at=record.now,
        ended_at=record.now,
    )
    conn.execute(ADD_STEP, [step_row(step)])
    return replace(going, joined=[as_input(row) for row in rows], joined_step=step)


def drop(
    conn: Connection, job: Claimed, turn: AnyRow | None, waiting: Sequence[AnyRow], now: datetime, why: str
) -> None:
    store.mark_handled(conn, [each.id for each in waiting], now, why=why)
    if turn is not None:
        ended = {"turn": turn.id, "to": TurnState.DROPPED.value, "outcome": "dropped", "because": why, "at": now}
        conn.execute(END_TURN, ended)
        conn.execute(HANDLED_BY, {"turn": turn.id, "at": now})
    finish(conn, job, now=now)
    wake(conn, CHANGE)


def check_lease(conn: Connection, job: Claimed) -> None:
    if not held(conn, [job]):
        raise lost(job)


def lost(job: Claimed) -> LostLease:
    return LostLease(f"The turn of {job.key} belongs to another worker now.")


def reason_to_drop(conversation: AnyRow) -> str | None:
    if conversation.opted_out_since is not None:
        return "they have opted out"
    return "a person answers here" if conversation.taken_over_by else None


def loop_rest(conversation: AnyRow, now: datetime) -> datetime | None:
    """Until when we stay silent towards what may be another machine."""
    if conversation.quick_answers < LOOP_ANSWERS or conversation.last_answer_at is None:
        return None
    rest: datetime = conversation.last_answer_at + LOOP_REST
    return rest if conversation.last_answer_at + LOOP_GAP > now or rest > now else None


def quick_answers(conversation: AnyRow, now: datetime) -> int:
    """Answers in a row that came soon after one another, this one included."""
    last = conversation.last_answer_at
    return conversation.quick_answers + 1 if last is not None and now - last < LOOP_GAP else 1


def picture_rest(conn: Connection, waiting: Sequence[AnyRow], now: datetime) -> datetime | None:
    """A little later, while pictures are still being fetched; after a while the turn goes on without them."""
    with_pictures = [each.id for each in waiting if each.media and now - each.created_at < PICTURE_PATIENCE]
    if any(each.state == "waiting" for each in pictures.attached_to(conn, with_pictures)):
        return now + PICTURE_WAIT
    return None


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


def text_of(turn: Begun, line: str, body: str) -> NewText:
    return NewText(
        line=line,
        conversation_id=turn.conversation_id,
        phone=turn.phone,
        our_address=turn.our_address,
        body=body,
        purpose=Purpose.CONVERSATIONAL_REPLY,
        messaging_service_sid=turn.messaging_service_sid,
        turn_id=turn.id,
    )


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

OPEN_TURN = (
    select(turns)
    .where(turns.c.conversation_id == bindparam("conversation_id"), turns.c.state == TurnState.RUNNING.value)
    .order_by(turns.c.created_at)
    .limit(1)
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
