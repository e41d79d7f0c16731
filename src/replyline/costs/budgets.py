"""Budgets that hold over all processes: reserved in the transaction that lets a text leave, spent when Twilio has it.

A text that is SENDING or UNKNOWN has its estimate reserved, one that Twilio has is spent at its price, and any other
takes nothing. So what a crash leaves behind is right as it stands, and is settled when the text is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, select, update

from replyline.costs.allowance import MODEL, Allowance, Key, allowance, of_the_model
from replyline.costs.prices import USD
from replyline.costs.sums import AT_ONCE
from replyline.db import first_id, new_id, wake
from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.sets import SetStatement, among, tuples
from replyline.db.tables import audit_events, budgets, charges, contacts, reservations, texts, work
from replyline.log import get_log
from replyline.plugins.budgets import Budget
from replyline.plugins.line import Line
from replyline.work.queue import topic_of

log = get_log(__name__)

QUEUED, ON_ITS_WAY = "queued", frozenset({"sending", "unknown"})  # of `conversations.delivery`
CONTACT = "contact"
USED_UP = 100
LOOKED_UP = 500
KEPT = timedelta(days=92)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """What one text takes of which budgets."""

    text_id: str
    line: str
    parts: Sequence[Key]
    micros: int


def hold(conn: Connection, allowances: Iterable[Allowance]) -> dict[Key, Allowance]:
    """These budgets as they stand, locked until the transaction ends: in one order, so that no two wait for each other."""
    wanted = {each.key: each for each in allowances}
    if not wanted:
        return {}
    found = lock(conn, wanted)
    if missing := sorted(wanted.keys() - found.keys()):
        ADD(conn, [{"line": line, "scope": scope, "period": period} for line, scope, period in missing])
        found |= lock(conn, {key: wanted[key] for key in missing})
    return found


def lock(conn: Connection, wanted: Mapping[Key, Allowance]) -> dict[Key, Allowance]:
    rows = conn.execute(LOCK, tuples("keys", sorted(wanted)))
    return {key: as_it_stands(wanted[key], row) for row in rows for key in [(row.line, row.scope, row.period)]}


def look(conn: Connection, allowances: Iterable[Allowance]) -> list[Allowance]:
    """These budgets as they stand, for whoever only looks."""
    wanted = {each.key: each for each in allowances}
    rows = conn.execute(LOOK, tuples("keys", sorted(wanted))).all() if wanted else []
    found = {(row.line, row.scope, row.period): row for row in rows}
    return [as_it_stands(each, found[key]) if key in found else each for key, each in wanted.items()]


def as_it_stands(each: Allowance, row: AnyRow) -> Allowance:
    return replace(
        each, spent=row.spent_micros, reserved=row.reserved_micros, raised=row.raised_micros, alerted=row.alerted
    )


def save(conn: Connection, changed: Iterable[Allowance], reserved: Sequence[Reservation]) -> None:
    """Write down what was reserved of budgets that are held."""
    in_order = sorted(changed, key=lambda each: each.key)
    TAKEN(conn, [(*each.key, each.reserved, each.alerted) for each in in_order])
    RESERVE(
        conn,
        [
            (each.text_id, each.line, [list(key[1:]) for key in each.parts], each.micros, each.micros, 0)
            for each in sorted(reserved, key=lambda each: each.text_id)
        ],
    )


def follow(conn: Connection, text_ids: Iterable[str], *, given_up: bool = False) -> None:
    """Have the budgets say what these texts take of them now, by their states and charges.

    A text that was `given_up` may have left: it counts as if it had.
    """
    ids = sorted(set(text_ids))
    for start in range(0, len(ids), LOOKED_UP):
        follow_some(conn, ids[start : start + LOOKED_UP], given_up=given_up)


def follow_some(conn: Connection, ids: Sequence[str], *, given_up: bool) -> None:
    rows = conn.execute(RESERVED, {"ids": ids}).all()
    if not rows:
        return
    costs = costs_of(conn, [row.text_id for row in rows if row.sid is not None])
    news, gains = [], defaultdict[Key, list[int]](lambda: [0, 0])
    for row in rows:
        reserved, spent = taken(row, costs, given_up=given_up)
        if (reserved, spent) == (row.reserved_micros, row.spent_micros):
            continue
        news.append((row.text_id, reserved, spent))
        for scope, period in row.parts:
            sums = gains[row.line, scope, period]
            sums[0] += reserved - row.reserved_micros
            sums[1] += spent - row.spent_micros
    NOW_TAKES(conn, news)
    gain(conn, {key: (reserved, spent) for key, (reserved, spent) in gains.items()})


def gain(conn: Connection, gains: Mapping[Key, tuple[int, int]]) -> None:
    """Add to what is reserved and spent of budgets. They are locked first, in the one order."""
    if gains:
        conn.execute(LOCK, tuples("keys", sorted(gains)))
        GAIN(conn, [(*key, *gains[key]) for key in sorted(gains)])


def taken(row: AnyRow, costs: Mapping[str, int | None], *, given_up: bool) -> tuple[int, int]:
    """What a text has reserved and spent now."""
    if row.status in ON_ITS_WAY:
        return row.estimate_micros, 0
    if row.sid is not None:
        cost = costs.get(row.text_id)
        return 0, row.estimate_micros if cost is None else cost
    return 0, row.estimate_micros if given_up else 0


def costs_of(conn: Connection, text_ids: Sequence[str]) -> dict[str, int | None]:
    """What the charges of texts add up to; none where one is not known in US dollars."""
    found: dict[str, int | None] = {}
    for row in conn.execute(CHARGES, {"ids": text_ids}) if text_ids else ():
        is_priced = row.price_micros is not None
        micros = row.price_micros if is_priced else row.estimate_micros
        is_known = micros is not None and (row.currency if is_priced else row.estimate_currency) == USD
        before = found.get(row.of_id, 0)
        found[row.of_id] = before + micros if is_known and before is not None else None
    return found


def spend_on_model(conn: Connection, line: Line, micros: int, now: datetime) -> None:
    """Count an answer of the model. It was not reserved: what it costs is known only now."""
    held = hold(conn, of_the_model(line.budgets, line.key, line.timezone, now))
    if not held or not micros:
        return
    gain(conn, dict.fromkeys(held, (0, micros)))
    after = [alerted(replace(each, spent=each.spent + micros)) for each in held.values()]
    save(conn, after, [])


def model_is_used_up(conn: Connection, line: Line, now: datetime) -> str | None:
    """Why the model may not be asked any more, for the operator."""
    for each in look(conn, of_the_model(line.budgets, line.key, line.timezone, now)):
        if each.room(is_reply=True) <= 0:
            return f"{each.words} is used up"
    return None


def alerted(each: Allowance, *, is_used_up: bool = False) -> Allowance:
    """Tell the line's people of a threshold, once. What one person may cost is told when it is used up."""
    reached = USED_UP if is_used_up else each.threshold
    if reached <= each.alerted:
        return each
    if each.budget.of != CONTACT or reached == USED_UP:
        line, scope, period = each.key
        log.warning(
            "budget_threshold",
            line=line,
            budget=scope,
            period=period,
            percent=reached,
            limit_micros=each.limit,
            spent_micros=each.spent,
            reserved_micros=each.reserved,
        )
    return replace(each, alerted=reached)


def raise_by(conn: Connection, each: Allowance, micros: int, *, by: str, now: datetime) -> Allowance:
    """Let a budget's period have more, and wake what waits for it. Less than nothing takes it back."""
    [held] = hold(conn, [each]).values()
    raised = replace(held, raised=held.raised + micros)
    raised = replace(raised, alerted=min(held.alerted, raised.threshold))
    line, scope, period = each.key
    conn.execute(
        RAISE,
        {"of_line": line, "in_scope": scope, "of_period": period, "raised": raised.raised, "told": raised.alerted},
    )
    details = {"budget": scope, "period": period, "micros": micros, "limit_micros": raised.limit}
    conn.execute(
        AUDIT,
        {"id": new_id("aud"), "line": line, "at": now, "actor": by, "kind": "budget_raised", "details": details},
    )
    if conn.execute(WAKE, {"of_line": line, "now": now}).rowcount:
        wake(conn, topic_of("send"))
    return raised


def standing(conn: Connection, line: Line, now: datetime, most: int = 20) -> list[Allowance]:
    """Every budget of a line in the period that it is now; of contacts and campaigns those that have used most."""
    found: list[Allowance] = []
    for budget in line.budgets:
        found += standing_of(conn, budget, line, now, most)
    return found


def standing_of(conn: Connection, budget: Budget, line: Line, now: datetime, most: int) -> list[Allowance]:
    if budget.of in {"line", MODEL} or budget.campaign:
        scope = f"campaign:{budget.campaign}" if budget.campaign else budget.of
        return look(conn, [allowance(budget, line.key, scope, line.timezone, now)])
    blank = allowance(budget, line.key, "", line.timezone, now)
    given = {"of_line": line.key, "of_period": blank.key[2], "like": f"{budget.of}:%", "most": most}
    return [
        as_it_stands(replace(blank, key=(row.line, row.scope, row.period)), row)
        for row in conn.execute(USED_MOST, given)
    ]


def forget(conn: Connection, now: datetime) -> bool:
    """Let go of a little that is over: budgets of past periods, and what texts took of them. True when there may be more.

    What a text of so long ago has cost is settled; a price that Twilio changes later changes the costs alone.
    """
    before = now - KEPT
    old = {"before": first_id("txt", before)}
    reserved = conn.execute(OLD_RESERVATIONS, old).scalars().all()
    if reserved:
        conn.execute(NO_RESERVATIONS, {"ids": list(reserved)})
    past = [tuple(row) for row in conn.execute(OLD_BUDGETS, {"before": f"{before:%Y-%m-%d}"})]
    if past:
        conn.execute(NO_BUDGETS, tuples("keys", past))
    return AT_ONCE in (len(reserved), len(past))


def contact_id_of(conn: Connection, line: str, phone: str) -> str | None:
    """By which id the budget of a person is kept, when the line knows their number."""
    found: str | None = conn.execute(CONTACT_ID, {"of_line": line, "of_phone": phone}).scalar()
    return found


_b, _r = budgets.c, reservations.c
_keys = among("keys", _b.line, _b.scope, _b.period)
_one = (
    _b.line == bindparam("of_line"),
    _b.scope == bindparam("in_scope"),
    _b.period == bindparam("of_period"),
)
_ids: BindParameter[Any] = bindparam("ids", expanding=True)
ADD = if_new(budgets)
LOOK = select(budgets).where(_keys)
LOCK = LOOK.order_by(_b.line, _b.scope, _b.period).with_for_update()
TAKEN = SetStatement(
    "WITH new(line, scope, period, reserved_micros, alerted) AS ({rows}) UPDATE budgets"
    " SET reserved_micros = new.reserved_micros, alerted = new.alerted FROM new"
    " WHERE budgets.line = new.line AND budgets.scope = new.scope AND budgets.period = new.period",
    [_b.line, _b.scope, _b.period, _b.reserved_micros, _b.alerted],
)
GAIN = SetStatement(
    "WITH new(line, scope, period, reserved_micros, spent_micros) AS ({rows}) UPDATE budgets"
    " SET reserved_micros = budgets.reserved_micros + new.reserved_micros,"
    " spent_micros = budgets.spent_micros + new.spent_micros FROM new"
    " WHERE budgets.line = new.line AND budgets.scope = new.scope AND budgets.period = new.period",
    [_b.line, _b.scope, _b.period, _b.reserved_micros, _b.spent_micros],
)
RAISE = update(budgets).where(*_one).values(raised_micros=bindparam("raised"), alerted=bindparam("told"))
RESERVE = SetStatement(
    "INSERT INTO reservations (text_id, line, parts, estimate_micros, reserved_micros, spent_micros) {rows}"
    " ON CONFLICT (text_id) DO UPDATE SET parts = excluded.parts, estimate_micros = excluded.estimate_micros,"
    " reserved_micros = excluded.reserved_micros, spent_micros = excluded.spent_micros",
    [_r.text_id, _r.line, _r.parts, _r.estimate_micros, _r.reserved_micros, _r.spent_micros],
)
RESERVED = (
    select(reservations, texts.c.status, texts.c.sid)
    .join(texts, texts.c.id == _r.text_id)
    .where(_r.text_id.in_(_ids))
    .order_by(_r.text_id)
    .with_for_update(of=reservations)
)
NOW_TAKES = SetStatement(
    "WITH new(text_id, reserved_micros, spent_micros) AS ({rows}) UPDATE reservations"
    " SET reserved_micros = new.reserved_micros, spent_micros = new.spent_micros"
    " FROM new WHERE reservations.text_id = new.text_id",
    [_r.text_id, _r.reserved_micros, _r.spent_micros],
)
CHARGES = select(
    charges.c.of_id,
    charges.c.price_micros,
    charges.c.estimate_micros,
    charges.c.currency,
    charges.c.estimate_currency,
).where(charges.c.of_id.in_(_ids))
AUDIT = insert(audit_events)
# What the gate holds for a budget says so in its `why`.
WAKE = (
    update(work)
    .where(
        work.c.kind == "send",
        work.c.due > bindparam("now", type_=UtcTime),
        work.c.key.in_(
            select(texts.c.id)
            .join(work, work.c.key == texts.c.id)
            .where(
                work.c.kind == "send",
                texts.c.line == bindparam("of_line"),
                texts.c.status == QUEUED,
                texts.c.why.like("% budget of $% is used up%"),
            )
        ),
    )
    .values(due=bindparam("now", type_=UtcTime))
)
USED_MOST = (
    select(budgets)
    .where(
        _b.line == bindparam("of_line"),
        _b.period == bindparam("of_period"),
        _b.scope.like(bindparam("like")),
    )
    .order_by((_b.spent_micros + _b.reserved_micros).desc(), _b.scope)
    .limit(bindparam("most"))
)
OLD_RESERVATIONS = (
    select(_r.text_id)
    .where(_r.text_id < bindparam("before"), _r.reserved_micros == 0)
    .order_by(_r.text_id)
    .limit(AT_ONCE)
)
NO_RESERVATIONS = delete(reservations).where(_r.text_id.in_(_ids))
# "all" sorts behind every day and month.
OLD_BUDGETS = select(_b.line, _b.scope, _b.period).where(_b.period < bindparam("before")).limit(AT_ONCE)
NO_BUDGETS = delete(budgets).where(_keys)
CONTACT_ID = select(contacts.c.id).where(
    contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone")
)
