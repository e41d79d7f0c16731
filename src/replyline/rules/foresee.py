"""What the gate would say of texts that nobody has written yet."""

from collections.abc import Callable, Iterable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection

from replyline.db.sets import SetStatement
from replyline.db.tables import contacts
from replyline.plugins.line import Line
from replyline.rules.decisions import KEEP, decision_row
from replyline.rules.facts import Facts
from replyline.rules.gather import History, facts_of, history_of
from replyline.rules.judge import CORE_RULES, Decision, judge
from replyline.rules.rulebook import Rulebook

AT_ONCE = 1_000  # people whose facts are read together
LeavesFrom = Callable[[str], str]  # the sender a text to a number would leave from; nothing: not known


def nowhere(phone: str) -> str:
    """A text whose sender is not known; the rules say what they can without."""
    return ""


def foresee(
    conn: Connection,
    line: Line,
    book: Rulebook,
    phone: str,
    *,
    purpose: str,
    program: str,
    at: datetime,
    secret: bytes,
    leaves_from: LeavesFrom = nowhere,
) -> dict[str, Any]:
    """The decision as a row of `decisions`, of a text to this number at that time. Nothing is written."""
    rows = unwritten(conn, line, [phone], purpose=purpose, program=program, leaves_from=leaves_from)
    history = history_of(conn, rows, at, secret)
    facts, decision = judged(rows[0], line, book, history, at)
    names = [column.name for column in KEEP.columns]
    return dict(zip(names, decision_row(rows[0], facts, decision, at), strict=True)) | {
        "at": at,
        "until": getattr(decision.verdict, "until", None),
    }


def foresee_many(
    conn: Connection,
    line: Line,
    book: Rulebook,
    phones: Iterable[str],
    *,
    purpose: str,
    program: str,
    at: datetime,
    secret: bytes,
    leaves_from: LeavesFrom = nowhere,
) -> dict[str, Decision]:
    """The decision of one such text to each of these numbers, by number and in their order. Nothing is written.

    Each is judged as if it were the only one that leaves.
    """
    wanted = list(dict.fromkeys(phones))
    found: dict[str, Decision] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        rows = unwritten(conn, line, some, purpose=purpose, program=program, leaves_from=leaves_from)
        history = history_of(conn, rows, at, secret)
        found |= {row.phone: judged(row, line, book, history, at)[1] for row in rows}
    return {phone: found[phone] for phone in wanted}


def judged(row: Any, line: Line, book: Rulebook, history: History, at: datetime) -> tuple[Facts, Decision]:
    facts = facts_of(row, line, book, history)
    return facts, judge(facts, at, rules=[*CORE_RULES, *line.rules])


def unwritten(
    conn: Connection, line: Line, phones: Iterable[str], *, purpose: str, program: str, leaves_from: LeavesFrom
) -> list[Any]:
    """A text to each of these numbers as `texts_to_judge` would give it."""
    return [
        SimpleNamespace(
            id="",
            line=line.key,
            phone=phone,
            purpose=purpose,
            program=program,
            body="",
            media=None,
            our_address=leaves_from(phone),
            messaging_service_sid=None,
            zone=zone,
            state=state,
            postal_code=postal_code,
            opted_out_of=opted_out_of,
        )
        for phone, zone, state, postal_code, opted_out_of in KNOWN(conn, [(line.key, phone) for phone in phones])
    ]


KNOWN = SetStatement(
    """
    WITH wanted(line, phone) AS ({rows})
    SELECT wanted.phone, contacts.zone, contacts.state, contacts.postal_code, opt_outs.scope
    FROM wanted
    LEFT JOIN contacts ON contacts.line = wanted.line AND contacts.phone = wanted.phone
    LEFT JOIN opt_outs ON opt_outs.line = wanted.line AND opt_outs.phone = wanted.phone
    """,
    [contacts.c.line, contacts.c.phone],
)
