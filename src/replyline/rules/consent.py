"""Hearing an opt-out, and remembering it. Only the person's own opt-in undoes it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from replyline.db import new_id
from replyline.db.columns import UtcTime, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import consent_events, contacts, opt_outs

HELD_BY_TWILIO = 21610  # the error code of a text that Twilio would not send: it holds an opt-out of this person


@dataclass(frozen=True, kw_only=True, slots=True)
class Whose:
    """Whose consent: a person's, towards one line."""

    line: str
    phone: str


def opt_out(
    conn: Connection,
    whose: Whose,
    *,
    now: datetime,
    source: str,
    word: str | None = None,
    matched_by: str | None = None,
    text_id: str | None = None,
) -> None:
    """Nobody texts this person for this line any more. Sources: keyword, carrier, person."""
    # The row lock makes a send that is just being judged wait for us, so that nothing is claimed after our commit.
    conn.execute(LOCK_CONTACT, parameters(whose))
    OPT_OUT(conn, [(whose.line, whose.phone, micros(now), source, text_id)])
    record(conn, whose, now=now, kind="opt_out", source=source, word=word, matched_by=matched_by, text_id=text_id)


def reopen(
    conn: Connection,
    whose: Whose,
    *,
    now: datetime,
    word: str | None = None,
    matched_by: str | None = None,
    text_id: str | None = None,
) -> None:
    """The person wrote START: replies may go out again. It is not consent to marketing."""
    conn.execute(REOPEN, parameters(whose))
    record(conn, whose, now=now, kind="reopened", source="keyword", word=word, matched_by=matched_by, text_id=text_id)


def record(
    conn: Connection,
    whose: Whose,
    *,
    now: datetime,
    kind: str,
    source: str,
    word: str | None = None,
    matched_by: str | None = None,
    text_id: str | None = None,
) -> None:
    """Append to the person's history of consent; nothing there is ever changed."""
    event = {"id": new_id("cev"), "line": whose.line, "phone": whose.phone, "kind": kind, "source": source}
    conn.execute(ADD_EVENT, event | {"word": word, "matched_by": matched_by, "text_id": text_id, "at": now})


def has_reopened_since(conn: Connection, whose: Whose, moment: datetime) -> bool:
    """Whether the person wrote START after that moment."""
    return conn.execute(REOPENED_SINCE, parameters(whose) | {"moment": moment}).first() is not None


def has_opted_out(conn: Connection, whose: Whose) -> bool:
    return conn.execute(OPTED_OUT, parameters(whose)).first() is not None


def parameters(whose: Whose) -> dict[str, str]:
    return {"of_line": whose.line, "of_phone": whose.phone}


LOCK_CONTACT = (
    update(contacts)
    .where(contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone"))
    .values(phone=contacts.c.phone)
)
OPT_OUT = SetStatement(
    "INSERT INTO opt_outs (line, phone, since, source, text_id) {rows} ON CONFLICT DO NOTHING",
    [opt_outs.c.line, opt_outs.c.phone, opt_outs.c.since, opt_outs.c.source, opt_outs.c.text_id],
)
REOPEN = delete(opt_outs).where(opt_outs.c.line == bindparam("of_line"), opt_outs.c.phone == bindparam("of_phone"))
OPTED_OUT = select(opt_outs.c.since).where(
    opt_outs.c.line == bindparam("of_line"), opt_outs.c.phone == bindparam("of_phone")
)
ADD_EVENT = insert(consent_events)
REOPENED_SINCE = (
    select(consent_events.c.id)
    .where(
        consent_events.c.line == bindparam("of_line"),
        consent_events.c.phone == bindparam("of_phone"),
        consent_events.c.kind == "reopened",
        consent_events.c.at > bindparam("moment", type_=UtcTime),
    )
    .limit(1)
)
