"""Pictures people sent: the rows that say where they are, and the folder that keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, select, update

from replyline.db.tables import media

# What models and browsers can show. Other attachments are noted in the text and kept out of the model's sight.
VISIBLE = {"image/jpeg", "image/png", "image/gif", "image/webp"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """One thing attached to an inbound text."""

    id: str
    text_id: str
    url: str
    content_type: str
    state: str  # waiting, kept or lost
    path: str | None


def attached_to(conn: Connection, text_ids: Sequence[str]) -> list[Attachment]:
    """What is attached to these texts, in order."""
    rows = conn.execute(ATTACHED, {"ids": list(text_ids)}).all() if text_ids else []
    return [
        Attachment(id=r.id, text_id=r.text_id, url=r.url, content_type=r.content_type, state=r.state, path=r.path)
        for r in rows
    ]


def keep(conn: Connection, attachment_id: str, *, path: str, size: int, content_type: str) -> None:
    conn.execute(
        SETTLE,
        {"media_id": attachment_id, "to": "kept", "at": path, "bytes": size, "type": content_type, "because": None},
    )


def lose(conn: Connection, attachment: Attachment, *, why: str) -> None:
    """It could not be fetched, and will not be tried again."""
    conn.execute(
        SETTLE,
        {
            "media_id": attachment.id,
            "to": "lost",
            "at": None,
            "bytes": None,
            "type": attachment.content_type,
            "because": why,
        },
    )


def write(folder: Path, attachment_id: str, content: bytes) -> str:
    """Keep the bytes; gives the path below the folder. Written beside and renamed, so no half file is ever read."""
    day = folder / attachment_id[4:10]
    day.mkdir(parents=True, exist_ok=True)
    target = day / attachment_id
    beside = target.with_suffix(".part")
    beside.write_bytes(content)
    beside.rename(target)
    return str(target.relative_to(folder))


def read(folder: Path, path: str) -> bytes:
    return (folder / path).read_bytes()


def type_of(content: bytes) -> str | None:
    """The picture type the bytes themselves show; what a header claims is not believed."""
    for magic, content_type in MAGIC:
        if content.startswith(magic):
            return content_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None


MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
ATTACHED = (
    select(media)
    .where(media.c.text_id.in_(bindparam("ids", expanding=True)))
    .order_by(media.c.text_id, media.c.position)
)
SETTLE = (
    update(media)
    .where(media.c.id == bindparam("media_id"), media.c.state == "waiting")
    .values(
        state=bindparam("to"),
        path=bindparam("at"),
        size=bindparam("bytes"),
        content_type=bindparam("type"),
        why=bindparam("because"),
    )
)
