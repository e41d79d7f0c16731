"""Texting somebody first, rather than answering them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from replyline.conversations.pictures import OwnPicture
from replyline.conversations.store import find_or_start
from replyline.outbound.queue import NewText, queue_text
from replyline.rules.facts import Purpose


def say(
    conn: Connection,
    *,
    line: str,
    phone: str,
    our_address: str,
    body: str,
    purpose: Purpose,
    now: datetime,
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
            media_urls=media_urls,
            pictures=pictures,
            messaging_service_sid=messaging_service_sid,
            expires_at=expires_at,
        ),
        now,
    )
