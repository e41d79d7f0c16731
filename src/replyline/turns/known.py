"""What a turn knows besides the texts: the contact's record, and the pictures that were sent."""

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from replyline.characters import storable_json
from replyline.clock import Clock
from replyline.conversations import pictures
from replyline.conversations.media_store import MediaStore, NotKept, read_all
from replyline.conversations.picture_types import VISIBLE
from replyline.conversations.pictures import Attachment
from replyline.db import Db
from replyline.llm.prompt import Picture
from replyline.plugins.calling import call_within
from replyline.plugins.context import Contact, ContextRequest
from replyline.plugins.hooks import ContextFunction
from replyline.plugins.line import Line
from replyline.turns.states import Begun

LARGEST_PICTURE = 5 * 1024 * 1024  # bytes; what providers take
# Of one turn: somebody may send forty at once, all of which would be in memory and in one request.
MOST_PICTURES, MOST_BYTES = 10, 20 * 1024 * 1024

Seen = Mapping[str, Sequence[Picture | None]]  # what came with each text, by its id; none: it cannot be shown


async def record_of(turn: Begun, line: Line, db: Db, clock: Clock) -> dict[str, Any]:
    """The contact and the moment, with what the line's `@line.context` functions add. Plain JSON."""
    contact = Contact(id=turn.contact_id, phone=turn.phone, name=turn.contact_name, notes=turn.contact_notes)
    request = ContextRequest(contact=contact, line=line, clock=clock, db=db)
    record: dict[str, Any] = {
        "now": request.now.isoformat(timespec="minutes"),
        "weekday": f"{request.now:%A}",
        "timezone": line.timezone,
        "business": line.name,
        "name": turn.contact_name,
    }
    for function in line.contexts:
        record |= await call_within(None, partial(added_by, function, request))
    plain: dict[str, Any] = storable_json(json.loads(json.dumps(record, default=str)))
    return plain


async def added_by(function: ContextFunction, request: ContextRequest) -> Mapping[str, Any]:
    added = function(request)
    return await added if inspect.isawaitable(added) else added


async def pictures_of(turn: Begun, db: Db, store: MediaStore, seen: Seen) -> Seen:
    """What came with the turn's texts, reading the pictures that were not seen yet from where they are kept."""
    unread = [each.id for each in turn.inputs if each.has_pictures and each.id not in seen]
    if not unread:
        return seen
    shown = [picture for each in seen.values() for picture in each if picture]
    found: dict[str, list[Picture | None]] = {text_id: [] for text_id in unread}
    for attachment in await db.run(pictures.attached_to, unread):
        picture = await read(attachment, store) if can_be_shown(attachment, shown) else None
        found[attachment.text_id].append(picture)
        shown += [picture] if picture else []
    return {**seen, **found}


def can_be_shown(attachment: Attachment, shown: Sequence[Picture]) -> bool:
    size = attachment.size or 0
    return (
        attachment.content_type in VISIBLE
        and size <= LARGEST_PICTURE
        and len(shown) < MOST_PICTURES
        and size + sum(len(each.content) for each in shown) <= MOST_BYTES
    )


async def read(attachment: Attachment, store: MediaStore) -> Picture | None:
    """A picture that is kept; none when it is not, or somebody has deleted it meanwhile."""
    if attachment.path is None:
        return None
    try:
        return Picture(media_type=attachment.content_type, content=await read_all(store, attachment.path))
    except NotKept:
        return None
