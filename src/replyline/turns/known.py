"""What a turn knows besides the texts: the contact's record, and the pictures that were sent."""

import contextlib
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
from replyline.db import Db
from replyline.llm.prompt import Picture
from replyline.plugins.calling import call_within
from replyline.plugins.context import Contact, ContextRequest
from replyline.plugins.hooks import ContextFunction
from replyline.plugins.line import Line
from replyline.turns.states import Begun

LARGEST_PICTURE = 5 * 1024 * 1024  # bytes; what providers take

Seen = Mapping[str, Sequence[Picture]]  # the pictures of each text, by its id


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
    """The pictures of the turn's texts, reading those that were not seen yet from where they are kept."""
    unread = [each.id for each in turn.inputs if each.has_pictures and each.id not in seen]
    if not unread:
        return seen
    found: dict[str, list[Picture]] = {text_id: [] for text_id in unread}
    for attachment in await db.run(pictures.attached_to, unread):
        if attachment.path and attachment.content_type in VISIBLE and (attachment.size or 0) <= LARGEST_PICTURE:
            with contextlib.suppress(NotKept):  # somebody has deleted it meanwhile
                content = await read_all(store, attachment.path)
                found[attachment.text_id].append(Picture(media_type=attachment.content_type, content=content))
    return {**seen, **found}
