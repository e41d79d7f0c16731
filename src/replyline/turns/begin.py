"""Beginning a conversation's turn, or taking up the one that a crash left."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from replyline.conversations import pictures, store
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import AnyRow
from replyline.plugins.line import Line
from replyline.turns import statements as sql
from replyline.turns.schedule import KIND
from replyline.turns.statements import as_input, check_lease, history_before, reason_to_drop, steps_of
from replyline.turns.states import Begun, Step, TurnState
from replyline.work import Claimed, arm, finish, later

PICTURE_PATIENCE = timedelta(seconds=20)  # how long a turn waits for pictures that are being fetched
PICTURE_WAIT = timedelta(seconds=0.3)
# Two machines that answer each other: this many answers in a row, each soon after the last, and we fall silent for a
# while. Twilio's own guard (14107) stops after 15 within 30 s of each other, and then fails for everyone.
LOOP_ANSWERS = 10
LOOP_GAP = timedelta(seconds=30)
LOOP_REST = timedelta(minutes=5)


def begin(conn: Connection, job: Claimed, line: Line, now: datetime) -> Begun | None:
    """Begin the conversation's turn, or take up the one a crash left. None: there is nothing to answer now."""
    check_lease(conn, job)
    row = conn.execute(sql.GET_CONVERSATION, {"conversation_id": job.key}).one()
    waiting = conn.execute(sql.UNANSWERED, {"conversation_id": job.key}).all()
    open_turns = conn.execute(sql.OPEN_TURNS, {"conversation_id": job.key}).all()
    open_turn = open_turns[0] if open_turns else None
    if len(open_turns) > 1:  # one went on after a person's decision while another was put off: both get their end
        arm(conn, kind=KIND, key=job.key, due=now, now=now, priority=1)
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
        sql.ADD_TURN,
        {
            "id": turn_id,
            "line": row.line,
            "conversation_id": row.id,
            "state": TurnState.RUNNING.value,
            "created_at": now,
            "deadline_at": deadline,
        },
    )
    conn.execute(sql.JOIN_TURN, {"ids": [each.id for each in waiting], "turn": turn_id})
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
    conn.execute(sql.TAKE_UP, {"turn": turn.id, "deadline": deadline, "times": runs})
    return begun(
        conn,
        row,
        conn.execute(sql.INPUTS, {"turn": turn.id}).all(),
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


def drop(
    conn: Connection, job: Claimed, turn: AnyRow | None, waiting: Sequence[AnyRow], now: datetime, why: str
) -> None:
    store.mark_handled(conn, [each.id for each in waiting], now, why=why)
    if turn is not None:
        ended = {"turn": turn.id, "to": TurnState.DROPPED.value, "outcome": "dropped", "because": why, "at": now}
        conn.execute(sql.END_TURN, ended)
        conn.execute(sql.HANDLED_BY, {"turn": turn.id, "at": now})
    finish(conn, job, now=now)
    wake(conn, CHANGE)


def loop_rest(conversation: AnyRow, now: datetime) -> datetime | None:
    """Until when we stay silent towards what may be another machine."""
    if conversation.quick_answers < LOOP_ANSWERS or conversation.last_answer_at is None:
        return None
    rest: datetime = conversation.last_answer_at + LOOP_REST
    return rest if rest > now else None


def picture_rest(conn: Connection, waiting: Sequence[AnyRow], now: datetime) -> datetime | None:
    """A little later, while pictures are still being fetched; after a while the turn goes on without them."""
    with_pictures = [
        each.id for each in waiting if each.media and now - (each.found_at or each.created_at) < PICTURE_PATIENCE
    ]
    if any(each.state == "waiting" for each in pictures.attached_to(conn, with_pictures)):
        return now + PICTURE_WAIT
    return None
