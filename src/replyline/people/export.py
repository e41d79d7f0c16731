"""Everything that is known of a person, for them or for a regulator."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, insert, select

from replyline.db import new_id
from replyline.db.columns import AnyRow
from replyline.db.tables import (
    audit_events,
    charges,
    consent_events,
    consents,
    contacts,
    conversations,
    decisions,
    media,
    opt_outs,
    steps,
    texts,
    turns,
)
from replyline.rules.consent import Whose
from replyline.rules.person import person_of

Found = dict[str, list[dict[str, Any]]]


def export(conn: Connection, whose: Whose, *, secret: bytes, by: str, now: datetime) -> Found:
    """All rows about a person, by what they are. That it was asked for is written down."""
    theirs = {"of_line": whose.line, "of_phone": whose.phone}
    ids = {"ids": list(conn.execute(CONVERSATIONS, theirs).scalars())}
    found = {
        "contact": rows(conn.execute(CONTACT, theirs)),
        "consent in force": rows(conn.execute(CONSENTS, theirs)),
        "opt-outs": rows(conn.execute(OPT_OUTS, theirs)),
        "consent events": rows(conn.execute(EVENTS, theirs)),
        "texts": rows(conn.execute(TEXTS, ids)),
        "pictures": rows(conn.execute(PICTURES, ids)),
        "answers": rows(conn.execute(TURNS, ids)),
        "steps of answers": rows(conn.execute(STEPS, ids)),
        "decisions": rows(conn.execute(DECISIONS, ids)),
        "costs": rows(conn.execute(CHARGES, ids)),
    }
    conn.execute(AUDIT, {"id": new_id("aud"), "line": whose.line, "at": now, "actor": by, "kind": "export",
                         "person": person_of(whose.phone, secret), "details": None})  # fmt: skip
    return found


def consent_of(conn: Connection, line: str, phone: str) -> tuple[Sequence[AnyRow], AnyRow | None]:
    """What a person agreed to and took back, in order, and the opt-out that holds."""
    theirs = {"of_line": line, "of_phone": phone}
    return conn.execute(EVENTS, theirs).all(), conn.execute(OPT_OUTS, theirs).first()


def rows(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row._mapping.items() if value is not None} for row in found]


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def in_words(found: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
    """The same to read."""
    for what, some in found.items():
        yield f"{what}: {len(some) or 'none'}"
        for row in some:
            yield "  " + "; ".join(f"{name}: {value}" for name, value in row.items())


def _theirs(table: Any) -> Any:
    return select(table).where(table.c.line == bindparam("of_line"), table.c.phone == bindparam("of_phone"))


_of_these: BindParameter[Any] = bindparam("ids", expanding=True)
CONVERSATIONS = select(conversations.c.id).where(
    conversations.c.line == bindparam("of_line"), conversations.c.phone == bindparam("of_phone")
)
CONTACT = _theirs(contacts)
CONSENTS = _theirs(consents)
OPT_OUTS = _theirs(opt_outs)
EVENTS = _theirs(consent_events).order_by(consent_events.c.at, consent_events.c.id)
TEXTS = select(texts).where(texts.c.conversation_id.in_(_of_these)).order_by(texts.c.created_at, texts.c.id)
_their_texts = select(texts.c.id).where(texts.c.conversation_id.in_(_of_these))
PICTURES = select(media).where(media.c.text_id.in_(_their_texts))
TURNS = select(turns).where(turns.c.conversation_id.in_(_of_these)).order_by(turns.c.created_at)
STEPS = (
    select(steps)
    .where(steps.c.turn_id.in_(select(turns.c.id).where(turns.c.conversation_id.in_(_of_these))))
    .order_by(steps.c.turn_id, steps.c.position)
)
DECISIONS = select(decisions).where(decisions.c.text_id.in_(_their_texts)).order_by(decisions.c.at)
CHARGES = select(charges).where(charges.c.conversation_id.in_(_of_these)).order_by(charges.c.at, charges.c.of_id)
AUDIT = insert(audit_events)
