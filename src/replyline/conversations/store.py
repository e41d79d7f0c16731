"""Contacts, conversations and texts: the statements that find and keep them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from replyline.conversations.delivery import Status
from replyline.conversations.text import InboundText
from replyline.db import new_id
from replyline.db.columns import UtcTime
from replyline.db.tables import contacts, conversations, media, opt_outs, texts

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
    has_opted_out: bool = False


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
    rows = conn.execute(FIND_CONVERSATIONS, {"keys": keys}).all()
    return {
        (r.line, r.phone, r.our_address): Conversation(
            id=r.id,
            contact_id=r.contact_id,
            line=r.line,
            phone=r.phone,
            our_address=r.our_address,
            rate_until=r.rate_until,
            taken_over_by=r.taken_over_by,
            has_opted_out=r.opted_out_since is not None,
        )
        for r in rows
    }


def start(conn: Connection, keys: Sequence[Key], now: datetime) -> None:
    """Start conversations. Another process may be starting the same ones: whoever is first has them."""
    people = sorted({(line, phone) for line, phone, _ in keys})
    conn.execute(
        if_new(conn, contacts),
        [{"id": new_id("con"), "line": line, "phone": phone, "created_at": now} for line, phone in people],
    )
    rows = conn.execute(FIND_CONTACTS, {"people": people}).all()
    contact_ids = {(r.line, r.phone): r.id for r in rows}
    conn.execute(
        if_new(conn, conversations),
        [
            {
                "id": new_id("cnv"),
                "line": line,
                "contact_id": contact_ids[(line, phone)],
                "phone": phone,
                "our_address": ours,
                "created_at": now,
            }
            for line, phone, ours in keys
        ],
    )


def add_inbound(conn: Connection, arrived: Sequence[tuple[InboundText, Conversation]]) -> dict[str, str]:
    """Store texts from phones. Gives our id by Twilio's for those that are new; a repeated one changes nothing."""
    rows = [inbound_row(text, conversation) for text, conversation in arrived]
    added = conn.execute(if_new(conn, texts).returning(texts.c.sid, texts.c.id), rows).all()
    new = {row.sid: row.id for row in added}
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


def inbound_row(text: InboundText, conversation: Conversation) -> dict[str, Any]:
    pictures = [{"url": p.url, "content_type": p.content_type} for p in text.pictures]
    return {
        "id": new_id("txt"),
        "line": conversation.line,
        "conversation_id": conversation.id,
        "is_inbound": True,
        "sid": text.sid,
        "phone": text.phone,
        "our_address": text.our_address,
        "messaging_service_sid": text.messaging_service_sid,
        "body": text.body,
        "media": pictures or None,
        "segments": text.segments,
        "status": Status.RECEIVED.value,
        "status_at": text.received_at,
        "created_at": text.received_at,
        "opt_out_type": text.opt_out_type,
        "fields": text.fields,
    }


def mark_handled(conn: Connection, text_ids: Sequence[str], now: datetime, *, why: str | None = None) -> None:
    """No turn needs to answer these texts any more."""
    if text_ids:
        conn.execute(MARK_HANDLED, {"ids": list(text_ids), "now": now, "because": why})


def get_text(conn: Connection, text_id: str) -> RowMapping | None:
    return conn.execute(GET_TEXT, {"text_id": text_id}).mappings().first()


def if_new(conn: Connection, table: Any) -> Any:
    """INSERT that leaves rows alone which are there already."""
    postgres, sqlite = _IF_NEW[table.name]
    return postgres if conn.dialect.name == "postgresql" else sqlite


_IF_NEW = {
    table.name: (postgres_insert(table).on_conflict_do_nothing(), sqlite_insert(table).on_conflict_do_nothing())
    for table in (contacts, conversations, texts, opt_outs)
}

FIND_CONVERSATIONS = (
    select(
        conversations.c.id,
        conversations.c.contact_id,
        conversations.c.line,
        conversations.c.phone,
        conversations.c.our_address,
        conversations.c.rate_until,
        conversations.c.taken_over_by,
        opt_outs.c.since.label("opted_out_since"),
    )
    .outerjoin(opt_outs, and_(opt_outs.c.line == conversations.c.line, opt_outs.c.phone == conversations.c.phone))
    .where(
        tuple_(conversations.c.line, conversations.c.phone, conversations.c.our_address).in_(
            bindparam("keys", expanding=True)
        )
    )
)
FIND_CONTACTS = select(contacts.c.id, contacts.c.line, contacts.c.phone).where(
    tuple_(contacts.c.line, contacts.c.phone).in_(bindparam("people", expanding=True))
)
MARK_HANDLED = (
    update(texts)
    .where(texts.c.id.in_(bindparam("ids", expanding=True)))
    .values(handled_at=bindparam("now", type_=UtcTime), why=bindparam("because"))
)
GET_TEXT = select(texts).where(texts.c.id == bindparam("text_id"))
