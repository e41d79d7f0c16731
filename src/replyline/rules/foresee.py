"""What the gate would say of a text that nobody has written yet."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from replyline.db.tables import contacts, opt_outs
from replyline.plugins.line import Line
from replyline.rules.decisions import KEEP, decision_row
from replyline.rules.gather import facts_of, history_of
from replyline.rules.judge import CORE_RULES, judge
from replyline.rules.rulebook import Rulebook


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
    our_address: str = "",
) -> dict[str, Any]:
    """The decision as a row of `decisions`, of a text to this number at that time. Nothing is written."""
    known = conn.execute(KNOWN, {"of_line": line.key, "of_phone": phone}).first()
    found = dict.fromkeys(("zone", "state", "postal_code")) if known is None else dict(known._mapping)
    held = conn.execute(HELD, {"of_line": line.key, "of_phone": phone}).scalar()
    row: Any = SimpleNamespace(
        id="",
        line=line.key,
        phone=phone,
        purpose=purpose,
        program=program,
        body="",
        media=None,
        our_address=our_address,
        messaging_service_sid=None,
        opted_out_of=held,
        **found,
    )
    facts = facts_of(row, line, book, history_of(conn, [row], at, secret))
    decision = judge(facts, at, rules=[*CORE_RULES, *line.rules])
    names = [column.name for column in KEEP.columns]
    return dict(zip(names, decision_row(row, facts, decision, at), strict=True)) | {
        "at": at,
        "until": getattr(decision.verdict, "until", None),
    }


KNOWN = select(contacts.c.zone, contacts.c.state, contacts.c.postal_code).where(
    and_(contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone"))
)
HELD = select(opt_outs.c.scope).where(
    and_(opt_outs.c.line == bindparam("of_line"), opt_outs.c.phone == bindparam("of_phone"))
)
