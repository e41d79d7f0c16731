"""Beginning a conversation's turn, or taking up the one that a crash left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from replyline.conversations import pictures, store
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import AnyRow, micros
from replyline.plugins.line import Line
from replyline.turns import statements as sql
from replyline.turns.schedule import KIND
from replyline.turns.statements import as_input, by_conversation, histories_before, lost, reason_to_drop, steps_of
from replyline.turns.states import Begun, Earlier, Step, TurnState
from replyline.work import Claimed, LostLease, arm, finish, later
from replyline.work.queue import ours

PICTURE_PATIENCE = timedelta(seconds=20)  # how long a turn waits for pictures that are being fetched
PICTURE_WAIT = timedelta(seconds=0.3)
# Two machines that answer each other: this many answers in a row, each soon after the last, and we fall silent for a
# while. Twilio's own guard (14107) stops after 15 within 30 s of each other, and then fails for everyone.
LOOP_ANSWERS = 10
LOOP_GAP = timedelta(seconds=30)
LOOP_REST = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Begin:
    """A conversation whose turn is due."""

    job: Claimed
    line: Line
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """A turn that is to start now, with the texts it answers."""

    begin: Begin
    turn_id: str
    conversation: AnyRow
    inputs: Sequence[AnyRow]


def begin(conn: Connection, begins: Sequence[Begin]) -> list[Begun | LostLease | None]:
    """Begin turns of many conversations, or take up those that a crash left. None: there is nothing to answer now."""
    still = ours(conn, [each.job for each in begins])
    ids = sorted({job.key for job in still})
    rows = {row.id: row for row in conn.execute(sql.GET_CONVERSATIONS, {"ids": ids})} if ids else {}
    waiting = by_conversation(conn, sql.UNANSWERED, ids)
    open_turns = by_conversation(conn, sql.OPEN_TURNS, ids)
    results: dict[Claimed, Begun | None] = {}
    fresh: list[Fresh] = []
    for each in [each for each in begins if each.job in still]:
        key = each.job.key
        found = one(conn, each, rows[key], waiting.get(key, []), open_turns.get(key, []))
        if isinstance(found, Fresh):
            fresh.append(found)
        else:
            results[each.job] = found
    results |= start(conn, fresh)
    return [results[each.job] if each.job in still else lost(each.job) for each in begins]


def one(
    conn: Connection, each: Begin, row: AnyRow, waiting: Sequence[AnyRow], open_turns: Sequence[AnyRow]
) -> Fresh | Begun | None:
    """What is to be done in one conversation; a turn that starts now is left to `start`."""
    job, now = each.job, each.now
    open_turn = open_turns[0] if open_turns else None
    if len(open_turns) > 1:  # one went on after a person's decision while another was put off: both get their end
        arm(conn, kind=KIND, key=job.key, due=now, now=now, priority=1)
    if open_turn is None and not waiting:
        finish(conn, job, now=now)
        return None
    if why := reason_to_drop(row):
        drop(conn, job, open_turn, waiting, now, why)
        return None
    if open_turn is not None:
        return take_up(conn, each.line, row, open_turn, now)
    if (rest := loop_rest(row, now)) or (rest := picture_rest(conn, waiting, now)):
        later(conn, job, due=rest, keep_attempts=False)
        return None
    return Fresh(begin=each, turn_id=new_id("trn"), conversation=row, inputs=waiting)


def start(conn: Connection, fresh: Sequence[Fresh]) -> dict[Claimed, Begun]:
    """Start these turns, each of another conversation."""
    if not fresh:
        return {}
    turns = [(each, each.conversation, each.begin.now, deadline_of(each.begin)) for each in fresh]
    sql.ADD_TURN(
        conn,
        [
            (each.turn_id, row.line, row.id, TurnState.RUNNING.value, micros(now), micros(deadline))
            for each, row, now, deadline in turns
        ],
    )
    sql.JOIN_TURN(conn, [(text.id, each.turn_id) for each in fresh for text in each.inputs])
    histories = histories_before(conn, {each.conversation.id: each.inputs for each in fresh})
    wake(conn, CHANGE)
    return {
        each.begin.job: begun(
            row,
            each.inputs,
            [],
            histories[row.id],
            turn_id=each.turn_id,
            created_at=now,
            deadline_at=deadline,
            runs=1,
            has_held=False,
            record=None,
        )
        for each, row, now, deadline in turns
    }


def deadline_of(begin: Begin) -> datetime:
    return begin.now + timedelta(seconds=begin.line.deadline)


def take_up(conn: Connection, line: Line, row: AnyRow, turn: AnyRow, now: datetime) -> Begun:
    """Go on with a turn that stopped: the same inputs, the same record, and the steps it has."""
    # One that was put off on purpose keeps its deadline; one that a crash interrupted gets a new one.
    deadline = turn.deadline_at if turn.why else max(turn.deadline_at, now + timedelta(seconds=line.deadline))
    runs = turn.runs if turn.why else turn.runs + 1
    conn.execute(sql.TAKE_UP, {"turn": turn.id, "deadline": deadline, "times": runs})
    inputs = conn.execute(sql.INPUTS, {"turn": turn.id}).all()
    return begun(
        row,
        inputs,
        steps_of(conn, turn.id),
        histories_before(conn, {row.id: inputs})[row.id],
        turn_id=turn.id,
        created_at=turn.created_at,
        deadline_at=deadline,
        runs=runs,
        has_held=turn.holding_text_id is not None,
        record=turn.record,
    )


def begun(
    row: AnyRow,
    inputs: Sequence[AnyRow],
    steps: Sequence[Step],
    history: Sequence[Earlier],
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
        history=history,
    )


def drop(
    conn: Connection, job: Claimed, turn: AnyRow | None, waiting: Sequence[AnyRow], now: datetime, why: str
) -> None:
    store.mark_handled(conn, [each.id for each in waiting], now, why=why)
    if turn is not None:
        sql.END_TURN(conn, [(turn.id, TurnState.DROPPED.value, "dropped", why, micros(now))])
        sql.HANDLED_BY(conn, [(turn.id, micros(now))])
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
