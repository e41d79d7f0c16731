"""Whose consent and opt-outs a line need not prove any longer: who they were goes, and the ledger's chain still holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, null, or_, select, update

from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import consent_events, consents
from replyline.people.too_old import kept_until
from replyline.plugins.keeps import Keeps
from replyline.rules import consent
from replyline.rules.person import person_of

OF_OPT_OUTS = ("opt_out", "reopened")  # kinds of events; all others are proof of consent


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What of somebody's events may go."""

    phone: str
    proof: bool
    opt_outs: bool


def phones_after(conn: Connection, line: str, after: str, *, most: int) -> Sequence[str]:
    """The next numbers in a line's ledger."""
    return conn.execute(PHONES, {"of_line": line, "after": after, "most": most}).scalars().all()


def due_among(conn: Connection, line: str, phones: Sequence[str], keeps: Keeps, now: datetime) -> list[Due]:
    """Who of them has agreed to nothing any more, with nothing new in the ledger for as long as the line keeps it."""
    theirs = {"of_line": line, "phones": list(phones)}
    newest = {row.phone: max(filter(None, [row.at, row.recorded_at])) for row in conn.execute(NEWEST, theirs)}
    proof, outs = kept_until(keeps, "consent_proof", now), kept_until(keeps, "opt_outs", now)
    live = set(conn.execute(LIVE, theirs | {"ended": min(filter(None, [proof, outs]), default=now)}).scalars())
    found = [
        Due(phone=phone, proof=bool(proof and at < proof), opt_outs=bool(outs and at < outs))
        for phone, at in newest.items()
        if phone not in live
    ]
    return [each for each in found if each.proof or each.opt_outs]


def count(conn: Connection, line: str, due: Sequence[Due]) -> dict[str, int]:
    """How many events would go, by kind of data."""
    counts = {"consent_proof": 0, "opt_outs": 0}
    for row in events_of(conn, line, due):
        counts["opt_outs" if row.kind in OF_OPT_OUTS else "consent_proof"] += 1
    return counts


def take(conn: Connection, line: str, due: Sequence[Due], *, secret: bytes) -> dict[str, int]:
    """Take away who it was; gives how many events that were, by kind of data."""
    counts = count(conn, line, due)
    for each in due:
        person = person_of(each.phone, secret)
        theirs = {"of_line": line, "of_phone": each.phone}
        if each.proof:
            conn.execute(NO_PROOF, theirs | {"hashed": person})
            conn.execute(NO_CONSENTS, theirs)
        if each.opt_outs:
            conn.execute(NO_NAMES, theirs | {"hashed": person})
            consent.suppress(conn, consent.Whose(line=line, phone=each.phone), person)
    return counts


def events_of(conn: Connection, line: str, due: Sequence[Due]) -> list[AnyRow]:
    by_phone = {each.phone: each for each in due}
    rows = conn.execute(EVENTS, {"of_line": line, "phones": list(by_phone)}).all()
    return [
        row for row in rows if (by_phone[row.phone].opt_outs if row.kind in OF_OPT_OUTS else by_phone[row.phone].proof)
    ]


_phones: BindParameter[Any] = bindparam("phones", expanding=True)
_of_line = consent_events.c.line == bindparam("of_line")
PHONES = (
    select(consent_events.c.phone)
    .where(_of_line, consent_events.c.phone > bindparam("after"))
    .distinct()
    .order_by(consent_events.c.phone)
    .limit(bindparam("most"))
)
_at, _recorded_at = func.max(consent_events.c.at), func.max(consent_events.c.recorded_at)
NEWEST = (
    select(consent_events.c.phone, _at.label("at"), _recorded_at.label("recorded_at"))
    .where(_of_line, consent_events.c.phone.in_(_phones))
    .group_by(consent_events.c.phone)
)
LIVE = select(consents.c.phone).where(
    consents.c.line == bindparam("of_line"),
    consents.c.phone.in_(_phones),
    or_(consents.c.expires_at.is_(None), consents.c.expires_at > bindparam("ended", type_=UtcTime)),
)
EVENTS = select(consent_events.c.phone, consent_events.c.kind).where(_of_line, consent_events.c.phone.in_(_phones))
_theirs = (_of_line, consent_events.c.phone == bindparam("of_phone"))
_nobody: dict[str, Any] = {"phone": None, "person": bindparam("hashed"), "word": None, "proof": null(), "salt": None}
NO_PROOF = update(consent_events).where(*_theirs, consent_events.c.kind.not_in(OF_OPT_OUTS)).values(_nobody)
NO_NAMES = update(consent_events).where(*_theirs, consent_events.c.kind.in_(OF_OPT_OUTS)).values(_nobody)
NO_CONSENTS = delete(consents).where(consents.c.line == bindparam("of_line"), consents.c.phone == bindparam("of_phone"))
