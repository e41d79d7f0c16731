"""Writing a turn down as it goes, and ending it. Nothing is written without the lease."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from replyline.costs import budgets, ledger
from replyline.costs.allowance import dearest_answer
from replyline.costs.charge import Charge, of_answer
from replyline.costs.prices import USD, PriceList, Tokens, read_prices
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import AnyRow, micros
from replyline.outbound import wordings
from replyline.outbound.queue import NewText, cancel_queued, queue_text, queue_texts
from replyline.plugins.line import Line
from replyline.rules import consent
from replyline.rules.facts import Purpose, Scope
from replyline.turns import statements as sql
from replyline.turns.begin import LOOP_GAP
from replyline.turns.hear import VERSION, Asks
from replyline.turns.schedule import KIND
from replyline.turns.statements import (
    as_input,
    by_conversation,
    check_lease,
    end_row,
    lost,
    reason_to_drop,
    step_row,
)
from replyline.turns.states import Begun, Input, Step, StepKind, StepState, TurnState
from replyline.work import Arm, Claimed, LostLease, arm_many, finish_many, later
from replyline.work.queue import ours

# A confirmation that comes later than this is none (47 CFR 64.1200(a)(12)); a turn begins seconds after its texts.
PROMPTLY = timedelta(minutes=4, seconds=30)
ASKED = {StepKind.MODEL, StepKind.HEAR}  # what the model was paid for


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What a turn writes down as it goes: steps that happened or began, and steps that ended."""

    job: Claimed
    turn: Begun
    line: Line | None = None  # whose budget for the model pays, and whose words these are
    add: Sequence[Step] = ()
    end: Sequence[Step] = ()
    prices: PriceList = field(default_factory=read_prices)
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
    line: Line | None = None  # whose budget for the model pays, and whose words these are
    add: Sequence[Step] = ()
    reply: str | None
    state: TurnState
    outcome: str
    why: str | None = None
    waits_for_new: bool = True  # texts that came meanwhile join the turn instead of ending it
    prices: PriceList = field(default_factory=read_prices)
    now: datetime


def record_steps(conn: Connection, records: Sequence[Record]) -> list[Going | LostLease]:
    """Write steps down for many turns at once, and say what changed around each meanwhile."""
    still = ours(conn, [record.job for record in records])
    held = [record for record in records if record.job in still]
    if fresh := [{"turn": r.turn.id, "data": r.turn.record} for r in held if not r.turn.is_record_kept]:
        conn.execute(sql.FIX_RECORD, fresh)
    sql.ADD_STEP(conn, [step_row(step) for record in held for step in record.add])
    if ended := [end_row(step) for record in held for step in record.end]:
        conn.execute(sql.END_STEP, ended)
    rows = conversations_of(conn, held)
    charge_answers(conn, held, rows)
    goings = look_around(conn, held, rows)
    wake(conn, CHANGE)
    return [goings[record.job] if record.job in still else lost(record.job) for record in records]


def finish_turns(conn: Connection, endings: Sequence[Ending]) -> list[Going | LostLease | None]:
    """End many turns: reply queued, inputs handled, turn done and lock released, together. `Going`: not yet, see why."""
    still = ours(conn, [ending.job for ending in endings])
    first: dict[Claimed, Ending] = {}  # a deadline may end a turn while its own end is waiting here
    for ending in endings:
        if ending.job in still:
            first.setdefault(ending.job, ending)
    held = list(first.values())
    sql.ADD_STEP(conn, [step_row(step) for ending in held for step in ending.add])
    rows = conversations_of(conn, held)
    charge_answers(conn, held, rows)
    around = look_around(conn, [ending for ending in held if ending.waits_for_new], rows)
    goings = {job: going for job, going in around.items() if going.joined or going.dropped}
    end(conn, [ending for ending in held if ending.job not in goings], rows)
    return [goings.get(ending.job) if first.get(ending.job) is ending else lost(ending.job) for ending in endings]


def charge_answers(conn: Connection, records: Sequence[Record | Ending], rows: Mapping[str, AnyRow]) -> None:
    """What the model's answers among these steps cost."""
    made = [
        (record, answer_charge(step, rows[record.job.key], record.prices))
        for record in records
        for step in record.add
        if step.kind in ASKED and step.usage
    ]
    ledger.charge(conn, [charge for _, charge in made])
    if paid := [each for each in made if each[0].line is not None and each[0].line.budgets]:
        line, now = paid[0][0].line, paid[0][0].now
        assert line is not None
        budgets.spend_on_model(conn, line, sum(cost_at_most(charge, record.prices) for record, charge in paid), now)


def cost_at_most(charge: Charge, prices: PriceList) -> int:
    """In micro-dollars; an answer whose price nobody knows counts as the dearest model's."""
    if charge.estimate_micros is not None and charge.estimate_currency == USD:
        return charge.estimate_micros
    return dearest_answer(prices, charge.tokens, charge.at.date())


def answer_charge(step: Step, conversation: AnyRow, prices: PriceList) -> Charge:
    used = step.usage
    return of_answer(
        step_id=step.id,
        line=conversation.line,
        conversation_id=conversation.id,
        phone=conversation.phone,
        our_address=conversation.our_address,
        purpose=Purpose.CONVERSATIONAL_REPLY.value,
        model=used.get("model") or step.name,
        tokens=Tokens(
            input=used.get("input_tokens") or 0,
            cached=used.get("cached_tokens") or 0,
            cache_write=used.get("cache_write_tokens") or 0,
            output=used.get("output_tokens") or 0,
        ),
        said=used.get("cost_micros"),
        prices=prices,
        at=step.ended_at or step.started_at,
    )


def end(conn: Connection, endings: Sequence[Ending], rows: Mapping[str, AnyRow]) -> None:
    """The commit point of turns."""
    if not endings:
        return
    replies, answered, ended = [], [], []
    for ending in endings:
        turn, now, row = ending.turn, ending.now, rows[ending.job.key]
        why = reason_to_drop(row)
        reply = None if why else ending.reply
        if row.clarifies_until is not None:
            replies += clarified(ending, row, reply)
        elif reply and ending.state is TurnState.WAITING:
            hold_once(conn, turn, row.line, reply, now)
        elif reply:
            replies.append(text_of(turn, row.line, reply, now))
            answered.append((row.id, quick_answers(row, now), micros(now)))
        state = TurnState.DROPPED if why else ending.state
        at = None if ending.state is TurnState.WAITING else micros(now)
        ended.append((turn.id, state.value, "dropped" if why else ending.outcome, why or ending.why, at))
    last = max(ending.now for ending in endings)
    queue_texts(conn, replies, last)
    sql.COUNT_ANSWER(conn, answered)
    sql.END_TURN(conn, ended)
    keys = [ending.job.key for ending in endings]
    if clarifying := sorted(key for key in keys if rows[key].clarifies_until is not None):
        conn.execute(sql.CLARIFIED, {"ids": clarifying})
    sql.HANDLED_BY(conn, [(ending.turn.id, micros(ending.now)) for ending in endings])
    answer_the_rest(conn, [ending for ending in endings if not ending.waits_for_new])
    finish_many(conn, [ending.job for ending in endings], now=last)
    wake(conn, CHANGE)


def clarified(ending: Ending, row: AnyRow, reply: str | None) -> list[NewText]:
    """The answer to who has opted out with a word that may have meant something else: with the way back, or none at all."""
    if ending.now >= row.clarifies_until or ending.line is None:
        return []
    clarification = wordings.clarification(ending.line)
    is_answer = reply and ending.state is TurnState.DONE
    body = f"{reply} {clarification}" if is_answer else clarification
    text = text_of(ending.turn, row.line, body, ending.now)
    return [replace(text, purpose=Purpose.OPT_OUT_CONFIRMATION, expires_at=row.clarifies_until)]


def answer_the_rest(conn: Connection, endings: Sequence[Ending]) -> None:
    """Texts that came while these turns failed get a turn of their own. A crash may have forgotten that they are owed one."""
    left = by_conversation(conn, sql.UNANSWERED, [ending.job.key for ending in endings])
    owed = [ending for ending in endings if ending.job.key in left]
    arm_many(conn, [Arm(kind=KIND, key=each.job.key, due=each.now, now=each.now, priority=1) for each in owed])


def hear(conn: Connection, heard: Record) -> None:
    """Write down what the model heard in a text, and act on it at once. Raises `LostLease`."""
    (step,), turn, line, now = heard.add, heard.turn, heard.line, heard.now
    assert line is not None
    check_lease(conn, heard.job)
    sql.ADD_STEP(conn, [step_row(step)])
    charge_answers(conn, [heard], conversations_of(conn, [heard]))
    if step.output == Asks.NO.value:
        return
    is_stop = step.output == Asks.STOP.value
    whose = consent.Whose(line=line.key, phone=turn.phone)
    proof = {"model": step.name, "said": step.output or "", "question": VERSION}
    scope = Scope.ALL if is_stop else Scope.MARKETING
    given: dict[str, Any] = {"scope": scope, "text_id": step.input, "proof": proof}
    consent.opt_out(conn, whose, now=now, source="keyword", matched_by="classifier", **given)
    if not is_stop:
        return
    cancel_queued(conn, line=line.key, phone=turn.phone, now=now, why="they opted out")
    if now - turn.created_at < PROMPTLY:
        confirmation = text_of(turn, line.key, wordings.unsubscribed(line), now)
        queue_text(conn, replace(confirmation, purpose=Purpose.OPT_OUT_CONFIRMATION, turn_id=None), now)


def put_off(conn: Connection, job: Claimed, turn: Begun, *, due: datetime, why: str) -> None:
    """Try the same turn again at `due`, with the deadline it has."""
    conn.execute(sql.NOTE_TROUBLE, {"turn": turn.id, "because": why})
    later(conn, job, due=due)


def hold(conn: Connection, job: Claimed, turn: Begun, line: Line, now: datetime) -> None:
    """Queue the holding text while the turn goes on, unless nobody is to be answered any more."""
    check_lease(conn, job)
    row = conn.execute(sql.GET_CONVERSATION, {"conversation_id": turn.conversation_id}).one()
    if reason_to_drop(row) is None and row.clarifies_until is None:
        hold_once(conn, turn, line.key, line.holding_text, now)


def hold_once(conn: Connection, turn: Begun, line: str, body: str, now: datetime) -> None:
    """One holding text in a turn, whether it takes long or waits for a person, or both."""
    if conn.execute(sql.HOLDING, {"turn": turn.id}).scalar() is None:
        text_id = queue_text(conn, text_of(turn, line, body, now), now)
        conn.execute(sql.HELD_WITH, {"turn": turn.id, "text_id": text_id})


def conversations_of(conn: Connection, records: Sequence[Record | Ending]) -> dict[str, AnyRow]:
    ids = sorted({record.job.key for record in records})
    return {row.id: row for row in conn.execute(sql.GET_CONVERSATIONS, {"ids": ids})} if ids else {}


def look_around(
    conn: Connection, records: Sequence[Record | Ending], rows: Mapping[str, AnyRow]
) -> dict[Claimed, Going]:
    """What happened beside each turn: texts that join it now, a STOP, a person who took over."""
    if not records:
        return {}
    joined = by_conversation(conn, sql.UNANSWERED, [record.job.key for record in records])
    goings = {}
    for record in records:
        job = record.job
        going = Going(dropped=reason_to_drop(rows[job.key]))
        goings[job] = join(conn, record, joined[job.key], going) if job.key in joined else going
    return goings


def join(conn: Connection, record: Record | Ending, rows: Sequence[AnyRow], going: Going) -> Going:
    """Texts that came while the turn ran belong to it from now on."""
    ids = [row.id for row in rows]
    sql.JOIN_TURN(conn, [(text_id, record.turn.id) for text_id in ids])
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
    sql.ADD_STEP(conn, [step_row(step)])
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
    )
