"""Texting somebody first, rather than answering them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from replyline.conversations.pictures import OwnPicture
from replyline.conversations.store import find_or_start
from replyline.db.tables import conversations, texts
from replyline.outbound.choose_sender import From, choose_sender
from replyline.outbound.queue import NewText, queue_text
from replyline.plugins.senders import Sender
from replyline.rules.facts import Purpose


def say_first(
    conn: Connection,
    *,
    senders: Sequence[Sender],
    line: str,
    phone: str,
    body: str,
    purpose: Purpose,
    now: datetime,
    program: str = "",
    media_urls: Sequence[str] = (),
    pictures: Sequence[OwnPicture] = (),
    expires_at: datetime | None = None,
) -> str:
    """`say` from the sender that suits best: the one they talked to last, else one for their country.

    Raises `UnsendableText`.
    """
    last = last_talked_to(conn, line, phone)
    chosen = choose_sender(senders, phone, has_pictures=bool(media_urls or pictures), last=last)
    return say(
        conn,
        line=line,
        phone=phone,
        our_address=chosen.our_address,
        messaging_service_sid=chosen.messaging_service_sid,
        body=body,
        purpose=purpose,
        program=program,
        now=now,
        media_urls=media_urls,
        pictures=pictures,
        expires_at=expires_at,
    )


def last_talked_to(conn: Connection, line: str, phone: str) -> From | None:
    """What this person wrote to last, or was texted from when they never wrote."""
    row = conn.execute(LAST, {"of_line": line, "of_phone": phone}).first()
    return row and From(our_address=row.our_address, messaging_service_sid=row.messaging_service_sid)


def say(
    conn: Connection,
    *,
    line: str,
    phone: str,
    our_address: str,
    body: str,
    purpose: Purpose,
    now: datetime,
    program: str = "",
    media_urls: Sequence[str] = (),
    pictures: Sequence[OwnPicture] = (),
    messaging_service_sid: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Queue a text to a phone, starting the conversation if there is none; gives the text's id.

    `our_address` is the number it leaves from, or the messaging service when that is to choose one.
    """
    key = (line, phone, our_address)
    conversation = find_or_start(conn, [key], now)[key]
    return queue_text(
        conn,
        NewText(
            line=line,
            conversation_id=conversation.id,
            phone=phone,
            our_address=our_address,
            body=body,
            purpose=purpose,
            program=program,
            media_urls=media_urls,
            pictures=pictures,
            messaging_service_sid=messaging_service_sid,
            expires_at=expires_at,
        ),
        now,
    )


_service = (
    select(texts.c.messaging_service_sid)
    .where(texts.c.conversation_id == conversations.c.id)
    .order_by(texts.c.created_at.desc())
    .limit(1)
    .scalar_subquery()
)
LAST = (
    select(conversations.c.our_address, _service.label("messaging_service_sid"))
    .where(conversations.c.line == bindparam("of_line"), conversations.c.phone == bindparam("of_phone"))
    .order_by(
        func.coalesce(conversations.c.last_inbound_at, 0).desc(),
        conversations.c.created_at.desc(),
    )
    .limit(1)
)
