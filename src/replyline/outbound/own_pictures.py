"""Pictures of ours for people: only what phones can be sent is taken into the store."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from replyline.conversations.media_store import OURS, MediaStore, in_chunks
from replyline.conversations.picture_types import type_of
from replyline.conversations.pictures import OwnPicture
from replyline.errors import ReplylineError

# Twilio makes these smaller for a phone that needs it; of other types it takes little, and leaves them as they are.
FITTED = {"image/jpeg", "image/png", "image/gif"}
OTHERS = {"image/bmp", "image/tiff", "image/heic", "image/heif"}
MOST_OF_OTHERS = 500 * 1024
MOST_IN_ALL = 5 * 1024 * 1024  # bytes of one MMS, with its words


class UnsendablePicture(ReplylineError):
    """A picture that phones cannot be sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A picture that may be sent."""

    content: bytes
    content_type: str


def check(pictures: Sequence[tuple[str, bytes]]) -> list[Checked]:
    """Look at pictures, each with its name, before anything is kept. Raises `UnsendablePicture`."""
    checked = [check_one(name, content) for name, content in pictures]
    if sum(len(each.content) for each in checked) > MOST_IN_ALL:
        raise UnsendablePicture(f"A text carries {MOST_IN_ALL // 1024 // 1024} MB in all; these pictures have more.")
    return checked


def check_one(name: str, content: bytes) -> Checked:
    content_type = type_of(content)
    if content_type not in FITTED | OTHERS:
        raise UnsendablePicture(f"{name} is no picture that phones can be sent; save it as JPEG, PNG or GIF.")
    if content_type in OTHERS and len(content) > MOST_OF_OTHERS:
        raise UnsendablePicture(
            f"{name} is larger than {MOST_OF_OTHERS // 1024} kB, the most for {content_type}; save it as JPEG or PNG."
        )
    return Checked(content=content, content_type=content_type)


async def keep(store: MediaStore, picture: Checked) -> OwnPicture:
    """Have the store keep it, under a key made from its bytes: the same picture is there once, however often it is sent."""
    digest = hashlib.sha256(picture.content).hexdigest()
    path = f"{OURS}{digest[:2]}/{digest}"
    await store.put(path, in_chunks(picture.content))
    return OwnPicture(path=path, content_type=picture.content_type, size=len(picture.content))
