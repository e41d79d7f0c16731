"""Pictures: the rows that say what was attached to a text, and where it is kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from replyline.conversations.media_store import MediaStore, NotKept
from replyline.db import Db, new_id
from replyline.db.columns import AnyRow
from replyline.db.tables import media


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """One thing attached to a text."""

    id: str
    text_id: str
    url: str  # at Twilio; empty for a picture of ours
    content_type: str
    state: str  # waiting, kept or lost
    path: str | None  # the key in the store
    size: int | None
    twilio_copy: str | None  # "due" to be deleted at Twilio, "gone"; none: it stays there


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnPicture:
    """A picture of ours that the store keeps, to send along with a text."""

    path: str
    content_type: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenPicture:
    """A picture that is kept, as it is read."""

    content_type: str
    size: int
    chunks: AsyncIterator[bytes]


async def open_picture(db: Db, store: MediaStore, media_id: str) -> OpenPicture | None:
    """The content and type of what is kept under the id of a picture or other attachment; none when nothing is."""
    kept = await db.run(find, media_id)
    if kept is None or kept.path is None:
        return None
    try:
        content = await store.open(kept.path)
    except NotKept:
        return None
    return OpenPicture(content_type=kept.content_type, size=content.size, chunks=content.chunks)


def find(conn: Connection, media_id: str) -> Attachment | None:
    row = conn.execute(FIND, {"media_id": media_id}).one_or_none()
    return None if row is None else as_attachment(row)


def attached_to(conn: Connection, text_ids: Sequence[str]) -> list[Attachment]:
    """What is attached to these texts, in order."""
    rows = conn.execute(ATTACHED, {"ids": list(text_ids)}).all() if text_ids else []
    return [as_attachment(row) for row in rows]


def own_ids(own: Sequence[OwnPicture]) -> dict[str, OwnPicture]:
    """An id for each picture of ours that goes with a text, in order."""
    return {new_id("med"): each for each in own}


def attach_own(conn: Connection, text_id: str, own: Mapping[str, OwnPicture]) -> None:
    """Attach pictures of ours to a text that leaves."""
    rows = [
        {
            "id": media_id,
            "text_id": text_id,
            "position": position,
            "url": "",
            "content_type": each.content_type,
            "state": "kept",
            "path": each.path,
            "size": each.size,
        }
        for position, (media_id, each) in enumerate(own.items())
    ]
    if rows:
        conn.execute(ADD, rows)


def keep(
    conn: Connection, attachment: Attachment, *, path: str, size: int, content_type: str, twilio_copy: str | None
) -> bool:
    """The store has it; false when that was written down before."""
    settled = {"to": "kept", "at": path, "bytes": size, "type": content_type, "because": None, "copy": twilio_copy}
    return conn.execute(SETTLE, {"media_id": attachment.id} | settled).rowcount > 0


def lose(conn: Connection, attachment: Attachment, *, why: str) -> None:
    """It could not be fetched, and will not be tried again."""
    settled = {"to": "lost", "at": None, "bytes": None, "type": attachment.content_type, "because": why, "copy": None}
    conn.execute(SETTLE, {"media_id": attachment.id} | settled)


def gone_at_twilio(conn: Connection, attachment_id: str) -> None:
    """Twilio has no copy any more."""
    conn.execute(GONE, {"media_id": attachment_id})


def as_attachment(row: AnyRow) -> Attachment:
    return Attachment(
        id=row.id,
        text_id=row.text_id,
        url=row.url,
        content_type=row.content_type,
        state=row.state,
        path=row.path,
        size=row.size,
        twilio_copy=row.twilio_copy,
    )


FIND = select(media).where(media.c.id == bindparam("media_id"))
ATTACHED = (
    select(media)
    .where(media.c.text_id.in_(bindparam("ids", expanding=True)))
    .order_by(media.c.text_id, media.c.position)
)
ADD = insert(media)
SETTLE = (
    update(media)
    .where(media.c.id == bindparam("media_id"), media.c.state == "waiting")
    .values(
        state=bindparam("to"),
        path=bindparam("at"),
        size=bindparam("bytes"),
        content_type=bindparam("type"),
        why=bindparam("because"),
        twilio_copy=bindparam("copy"),
    )
)
GONE = update(media).where(media.c.id == bindparam("media_id")).values(twilio_copy="gone")
