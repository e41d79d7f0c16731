"""Contacts, conversations and texts: the statements that find and keep them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, bindparam, insert, or_, select, update

from replyline.conversations.delivery import MAY_HAVE_LEFT, Status
from replyline.conversations.text import InboundText
from replyline.db import new_id
from replyline.db.columns import AnyRow, UtcTime, from_micros, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import contacts, conversations, media, texts

# A conversation is one phone and one address of ours, on one line.
Key = tuple[str, str, str]  # line, phone, our address


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Where a text belongs, and what deciding about it needs."""

    id: str
    contact_id: str
    line: str
    phone: str
    our_address: str
    rate_until: datetime | None = None
    taken_over_by: str | None = None
    opted_out_since: datetime | None = None


def find_or_start(conn: Connection, keys: Iterable[Key], now: datetime) -> dict[Key, Conversation]:
    """The conversations of these keys; those that do not exist yet are started, with their contacts."""
    wanted = sorted(set(keys))
    found = find(conn, wanted)
    missing = [key for key in wanted if key not in found]
    if missing:
        start(conn, missing, now)
        found |= find(conn, missing)
    return found


def find(conn: Connection, keys: Sequence[Key]) -> dict[Key, Conversation]:
    found = {}
    for id_, contact_id, line, phone, ours, rate_until, taken_over_by, opted_out_since in FIND_CONVERSATIONS(
        conn, keys
    ):
        found[(line, phone, ours)] = Conversation(
            id=id_,
            contact_id=contact_id,
            line=line,
            phone=phone,
            our_address=ours,
            rate_until=None if rate_until is None else from_micros(rate_until),
            taken_over_by=taken_over_by,
            opted_out_since=None if opted_out_since is None else from_micros(opted_out_since),
        )
    return found


def start(conn: Connection, keys: Sequence[Key], now: datetime) -> None:
    """Start conversations. Another process may be starting the same ones: whoever is first has them."""
    at = micros(now)
    people = sorted({(line, phone) for line, phone, _ in keys})
    ADD_CONTACTS(conn, [(new_id("con"), line, phone, at) for line, phone in people])
    START_CONVERSATIONS(conn, [(new_id("cnv"), line, phone, ours, at) for line, phone, ours in keys])


def add_inbound(conn: Connection, arrived: Sequence[tuple[InboundText, Conversation]]) -> dict[str, str]:
    """Store texts from phones. Gives our id by Twilio's for those that are new; a repeated one changes nothing."""
    rows = [inbound_row(text, conversation) for text, conversation in arrived]
    new: dict[str, str] = dict(ADD_INBOUND(conn, rows))
    attached = [
        {
            "id": new_id("med"),
            "text_id": new[text.sid],
            "position": position,
            "url": picture.url,
            "content_type": picture.content_type,
            "state": "waiting",
        }
        for text, _ in unique(arrived)
        if text.sid in new
        for position, picture in enumerate(text.pictures)
    ]
    if attached:
        conn.execute(insert(media), attached)
    return new


def unique(arrived: Sequence[tuple[InboundText, Conversation]]) -> list[tuple[InboundText, Conversation]]:
    """The first of each MessageSid: Twilio's retry may wait in the same set as the first try."""
    first: dict[str, tuple[InboundText, Conversation]] = {}
    for each in arrived:
        first.setdefault(each[0].sid, each)
    return list(first.values())


def inbound_row(text: InboundText, conversation: Conversation) -> tuple[Any, ...]:
    at = micros(text.received_at)
    return (
        new_id("txt"),
        conversation.line,
        conversation.id,
        True,
        text.sid,
        text.phone,
        text.our_address,
        text.messaging_service_sid,
        text.body,
        [{"url": p.url, "content_type": p.content_type} for p in text.pictures] or None,
        text.segments,
        RECEIVED,
        at,
        at,
        text.opt_out_type,
        text.fields,
        None if text.found_at is None else micros(text.found_at),
    )


def mark_handled(conn: Connection, text_ids: Sequence[str], now: datetime, *, why: str | None = None) -> None:
    """No turn needs to answer these texts any more."""
    if text_ids:
        conn.execute(MARK_HANDLED, {"ids": list(text_ids), "now": now, "because": why})


def written_since(conn: Connection, conversation_id: str, moment: datetime) -> Sequence[str]:
    """What the person wrote in a conversation after that moment."""
    return conn.execute(WRITTEN_SINCE, {"conversation_id": conversation_id, "moment": moment}).scalars().all()


def introduce_again(conn: Connection, contact_id: str) -> None:
    """Have the next text to this person say anew who texts and that an AI answers."""
    conn.execute(INTRODUCE_AGAIN, {"contact": contact_id})


def clarify_until(conn: Connection, conversation_id: str, until: datetime | None) -> None:
    """Have the next answer ask somebody who has just opted out whether they meant it; none: no longer."""
    conn.execute(CLARIFY, {"conversation_id": conversation_id, "until": until})


def last_of_ours(conn: Connection, conversation_id: str, purpose: str | None = None) -> AnyRow | None:
    """The last text of ours in a conversation, or the last of a purpose: its id, words, purpose, program and time."""
    return conn.execute(LAST_OF_OURS, {"conversation_id": conversation_id, "of_purpose": purpose}).first()


FIND_CONVERSATIONS = SetStatement(
    """
    WITH wanted(line, phone, our_address) AS ({rows})
    SELECT c.id, c.contact_id, c.line, c.phone, c.our_address, c.rate_until, c.taken_over_by, opt_outs.since
    FROM wanted
    JOIN conversations c ON c.line = wanted.line AND c.phone = wanted.phone AND c.our_address = wanted.our_address
    LEFT JOIN opt_outs ON opt_outs.line = c.line AND opt_outs.phone = c.phone AND opt_outs.scope = 'all'
    """,
    [conversations.c.line, conversations.c.phone, conversations.c.our_address],
)
ADD_CONTACTS = SetStatement(
    "INSERT INTO contacts (id, line, phone, created_at) {rows} ON CONFLICT DO NOTHING",
    [contacts.c.id, contacts.c.line, contacts.c.phone, contacts.c.created_at],
)
START_CONVERSATIONS = SetStatement(
    """
    WITH new(id, line, phone, our_address, created_at) AS ({rows})
    INSERT INTO conversations (id, line, contact_id, phone, our_address, created_at)
    SELECT new.id, new.line, contacts.id, new.phone, new.our_address, new.created_at
    FROM new JOIN contacts ON contacts.line = new.line AND contacts.phone = new.phone
    WHERE TRUE ORDER BY new.line, new.phone, new.our_address
    ON CONFLICT DO NOTHING
    """,
    [
        conversations.c.id,
        conversations.c.line,
        conversations.c.phone,
        conversations.c.our_address,
        conversations.c.created_at,
    ],
)
INBOUND = [
    texts.c.id,
    texts.c.line,
    texts.c.conversation_id,
    texts.c.is_inbound,
    texts.c.sid,
    texts.c.phone,
    texts.c.our_address,
    texts.c.messaging_service_sid,
    texts.c.body,
    texts.c.media,
    texts.c.segments,
    texts.c.status,
    texts.c.status_at,
    texts.c.created_at,
    texts.c.opt_out_type,
    texts.c.fields,
    texts.c.found_at,
]
ADD_INBOUND = SetStatement(
    f"INSERT INTO texts ({', '.join(column.name for column in INBOUND)}) {{rows}} "
    "ON CONFLICT DO NOTHING RETURNING sid, id",
    INBOUND,
)
RECEIVED = Status.RECEIVED.value
WRITTEN_SINCE = select(texts.c.body).where(
    texts.c.conversation_id == bindparam("conversation_id"),
    texts.c.created_at > bindparam("moment", type_=UtcTime),
    texts.c.is_inbound,
)
INTRODUCE_AGAIN = update(contacts).where(contacts.c.id == bindparam("contact")).values(introduced_at=None)
CLARIFY = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation_id"))
    .values(clarifies_until=bindparam("until", type_=UtcTime))
)
LAST_OF_OURS = (
    select(texts.c.id, texts.c.program, texts.c.purpose, texts.c.body, texts.c.created_at)
    .where(
        texts.c.conversation_id == bindparam("conversation_id"),
        texts.c.is_inbound.is_(False),
        texts.c.status.in_(MAY_HAVE_LEFT),
        or_(bindparam("of_purpose", type_=String).is_(None), texts.c.purpose == bindparam("of_purpose")),
    )
    .order_by(texts.c.created_at.desc(), texts.c.id.desc())
    .limit(1)
)
MARK_HANDLED = (
    update(texts)
    .where(texts.c.id.in_(bindparam("ids", expanding=True)))
    .values(handled_at=bindparam("now", type_=UtcTime), why=bindparam("because"))
)
