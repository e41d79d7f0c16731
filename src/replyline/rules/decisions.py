"""What the gate said of a text, on what facts, kept in the transaction that let it leave or held it (compliance.md §7)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select

from replyline.db import new_id
from replyline.db.columns import AnyRow, from_micros, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import decisions, texts
from replyline.rules.facts import Facts
from replyline.rules.judge import Decision
from replyline.rules.verdict import Refuse, Send, Verdict, Wait

Row = tuple[Any, ...]
AN_HOUR = timedelta(hours=1)


def decision_row(row: AnyRow, facts: Facts, decision: Decision, now: datetime) -> Row:
    """A row of `decisions`, without the person's number and words: the text has them as long as it may."""
    verdict = decision.verdict
    return (
        new_id("dec"),
        row.id,
        row.line,
        micros(now),
        name_of(verdict),
        micros(verdict.until) if isinstance(verdict, Wait) else None,
        rule_of(decision),
        None if isinstance(verdict, Send) else verdict.why,
        facts.book.version,
        facts_in_json(facts, row.opted_out_of),
        [[rule, *in_json(said)] for rule, said in decision.said],
    )


def rule_of(decision: Decision) -> str | None:
    """The rule whose word it is; none when nothing but the sum of them says so."""
    verdict = decision.verdict
    return next((rule for rule, said in decision.said if said == verdict or is_same(said, verdict)), None)


def is_same(said: Verdict, verdict: Verdict) -> bool:
    """Whether it is that refusal; the judge may have filled its rule in."""
    return isinstance(said, Refuse) and isinstance(verdict, Refuse) and said.why == verdict.why


def name_of(verdict: Verdict) -> str:
    return {Send: "send", Wait: "wait", Refuse: "refuse"}[type(verdict)]


def in_json(verdict: Verdict) -> list[str]:
    if isinstance(verdict, Send):
        return ["send"]
    if isinstance(verdict, Wait):
        return ["wait", verdict.why, verdict.until.isoformat()]
    return ["refuse", verdict.why]


def facts_in_json(facts: Facts, opted_out_of: str | None) -> dict[str, Any]:
    found = {
        "purpose": facts.purpose.value,
        "program": facts.program,
        "country": facts.country,
        "zones": sorted(facts.place.zones),
        "states": sorted(facts.place.states),
        "told by": list(facts.place.signals),
        "opted out": facts.has_opted_out and (opted_out_of or "erased"),
        "needs": facts.need.tier.value,
        "double opt-in": facts.need.double_opt_in,
        "consents": [each.event_id for each in facts.consents],
        "advertising sent": [at.isoformat() for at in facts.marketing_sent],
    }
    return {name: value for name, value in found.items() if value}


def what_is_new(conn: Connection, held: Sequence[Row]) -> list[Row]:
    """Of decisions to hold texts that were held for the same reason before: those by other rules, or to another hour."""
    if not held:
        return []
    last = {row.text_id: row for row in conn.execute(LAST, {"ids": sorted(row[1] for row in held)})}
    return [row for row in held if row[1] not in last or differs(row, last[row[1]])]


def differs(row: Row, last: AnyRow) -> bool:
    until = last.until or from_micros(0)
    return row[8] != last.rules_version or abs(from_micros(row[5]) - until) >= AN_HOUR


def decisions_of(conn: Connection, text_id: str) -> tuple[AnyRow | None, list[AnyRow]]:
    """A text and what was decided about it, in order."""
    return (
        conn.execute(TEXT, {"text_id": text_id}).first(),
        list(conn.execute(OF_TEXT, {"text_id": text_id})),
    )


KEEP = SetStatement(
    "INSERT INTO decisions (id, text_id, line, at, verdict, until, rule, why, rules_version, facts, said) {rows}",
    [
        decisions.c.id,
        decisions.c.text_id,
        decisions.c.line,
        decisions.c.at,
        decisions.c.verdict,
        decisions.c.until,
        decisions.c.rule,
        decisions.c.why,
        decisions.c.rules_version,
        decisions.c.facts,
        decisions.c.said,
    ],
)
TEXT = select(texts).where(texts.c.id == bindparam("text_id"), texts.c.is_inbound.is_(False))
_later = decisions.alias()
LAST = select(decisions.c.text_id, decisions.c.until, decisions.c.rules_version).where(
    decisions.c.text_id.in_(bindparam("ids", expanding=True)),
    ~select(_later.c.id)
    .where(
        _later.c.text_id == decisions.c.text_id,
        or_(_later.c.at > decisions.c.at, and_(_later.c.at == decisions.c.at, _later.c.id > decisions.c.id)),
    )
    .exists(),
)
OF_TEXT = select(decisions).where(decisions.c.text_id == bindparam("text_id")).order_by(decisions.c.at, decisions.c.id)
