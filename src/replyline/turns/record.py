"""Writing a turn down as it goes, and ending it. Nothing is written without the lease."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import AnyRow
from replyline.outbound.queue import NewText, queue_text
from replyline.plugins.line import Line
from replyline.rules.facts import Purpose
from replyline.turns import statements as sql
from replyline.turns.begin import LOOP_GAP
from replyline.turns.schedule import KIND
from replyline.turns.statements import as_input, check_lease, end_row, lost, reason_to_drop, step_row
from replyline.turns.states import Begun, Input, Step, StepKind, StepState, TurnState
from replyline.work import Claimed, LostLease, arm, finish, later
from replyline.work.queue import held

# An answer that could not leave for so long, while somebody mends an account say, would only puzzle.
STALE_AFTER = timedelta(hours=4)


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


def record_steps(conn: Connection, records: Sequence[Record]) -> list[Going | LostLease]:
    """Write steps down for many turns at once, and say what changed around each meanwhile."""
    still = held(conn, [record.job for record in records])
    ours = [record for record in records if (record.job.kind, record.job.key) in still]
    if fresh := [{"turn": r.turn.id, "data": r.turn.record} for r in ours if not r.turn.is_record_kept]:
        conn.execute(sql.FIX_RECORD, fresh)
    if added := [step_row(step) for record in ours for step in record.add]:
        conn.execute(sql.ADD_STEP, added)
    if ended := [end_row(step) for record in ours for step in record.end]:
        conn.execute(sql.END_STEP, ended)
    goings = look_around(conn, ours)
    wake(conn, CHANGE)
    return [goings.get(record.job.key) or lost(record.job) for record in records]


def finish_turns(conn: Connection, endings: Sequence[Ending]) -> list[Going | LostLease | None]:
    """End many turns: reply queued, inputs handled, turn done and lock released, together. `Going`: not yet, see why."""
    still = held(conn, [ending.job for ending in endings])
    ours = [ending for ending in endings if (ending.job.kind, ending.job.key) in still]
    if added := [step_row(step) for ending in ours for step in ending.add]:
        conn.execute(sql.ADD_STEP, added)
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
    row = conn.execute(sql.GET_CONVERSATION, {"conversation_id": turn.conversation_id}).one()
    why = reason_to_drop(row)
    reply = None if why else ending.reply
    if reply and ending.state is TurnState.WAITING:
        hold_once(conn, turn, row.line, reply, now)
    elif reply:
        queue_text(conn, text_of(turn, row.line, reply, now), now)
        conn.execute(sql.COUNT_ANSWER, {"conversation_id": row.id, "quick": quick_answers(row, now), "at": now})
    conn.execute(
        sql.END_TURN,
        {
            "turn": turn.id,
            "to": TurnState.DROPPED.value if why else ending.state.value,
            "outcome": "dropped" if why else ending.outcome,
            "because": why or ending.why,
            "at": now if ending.state is not TurnState.WAITING else None,
        },
    )
    conn.execute(sql.HANDLED_BY, {"turn": turn.id, "at": now})
    if not ending.waits_for_new:
        answer_the_rest(conn, ending)
    finish(conn, ending.job, now=now)
    wake(conn, CHANGE)


def answer_the_rest(conn: Connection, ending: Ending) -> None:
    """Texts that came while this turn failed get a turn of their own. A crash may have forgotten that they are owed one."""
    if conn.execute(sql.UNANSWERED, {"conversation_id": ending.job.key}).first() is not None:
        arm(conn, kind=KIND, key=ending.job.key, due=ending.now, now=ending.now, priority=1)


def put_off(conn: Connection, job: Claimed, turn: Begun, *, due: datetime, why: str) -> None:
    """Try the same turn again at `due`, with the deadline it has."""
    conn.execute(sql.NOTE_TROUBLE, {"turn": turn.id, "because": why})
    later(conn, job, due=due)


def hold(conn: Connection, job: Claimed, turn: Begun, line: Line, now: datetime) -> None:
    """Queue the holding text while the turn goes on, unless nobody is to be answered any more."""
    check_lease(conn, job)
    row = conn.execute(sql.GET_CONVERSATION, {"conversation_id": turn.conversation_id}).one()
    if reason_to_drop(row) is None:
        hold_once(conn, turn, line.key, line.holding_text, now)


def hold_once(conn: Connection, turn: Begun, line: str, body: str, now: datetime) -> None:
    """One holding text in a turn, whether it takes long or waits for a person, or both."""
    if conn.execute(sql.HOLDING, {"turn": turn.id}).scalar() is None:
        text_id = queue_text(conn, text_of(turn, line, body, now), now)
        conn.execute(sql.HELD_WITH, {"turn": turn.id, "text_id": text_id})


def look_around(conn: Connection, records: Sequence[Record | Ending]) -> dict[str, Going]:
    """What happened beside each turn: texts that join it now, a STOP, a person who took over."""
    if not records:
        return {}
    by_conversation = {record.job.key: record for record in records}
    rows = conn.execute(sql.GET_CONVERSATIONS, {"ids": sorted(by_conversation)}).all()
    dropped = {row.id: reason_to_drop(row) for row in rows}
    joined: dict[str, list[AnyRow]] = {}
    for row in conn.execute(sql.NEW_TEXTS, {"ids": sorted(by_conversation)}).all():
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
    conn.execute(sql.JOIN_TURN, {"ids": ids, "turn": record.turn.id})
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
    conn.execute(sql.ADD_STEP, [step_row(step)])
    return replace(going, joined=[as_input(row) for row in rows], joined_step=step)


def quick_answers(conversation: AnyRow, now: datetime) -> int:
    """Answers in a row that came soon after one another, this one included."""
    last = conversation.last_answer_at
    return conversation.quick_answers + 1 if last is not None and now - last < LOOP_GAP else 1


def text_of(turn: Begun, line: str, body: str, now: datetime) -> NewText:
    return NewText(
        line=line,
        conversation_id=turn.conversation_id,
        phone=turn.phone,
        our_address=turn.our_address,
        body=body,
        purpose=Purpose.CONVERSATIONAL_REPLY,
        messaging_service_sid=turn.messaging_service_sid,
        turn_id=turn.id,
        expires_at=now + STALE_AFTER,
    )
