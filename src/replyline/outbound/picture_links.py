"""How Twilio gets a picture of ours: by a link that nobody can guess or change, and that runs out."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from replyline.clock import Clock
from replyline.conversations.media_store import MediaStore
from replyline.conversations.pictures import open_picture
from replyline.db import Db

PATH = "/media/{media}"
LASTS = timedelta(hours=24)  # Twilio may hold a text for ten hours before it fetches, and fetches again when it fails


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureLinks:
    """Makes the links, and knows them again in every process that has the same secret."""

    public_url: str
    secret: bytes

    def link(self, media_id: str, now: datetime) -> str:
        until = str(int((now + LASTS).timestamp()))
        return f"{self.public_url}/media/{media_id}?until={until}&sig={self._signature(media_id, until)}"

    def is_good(self, media_id: str, until: str, signature: str, now: datetime) -> bool:
        """Whether we made this link, and it has not run out."""
        is_ours = hmac.compare_digest(self._signature(media_id, until).encode(), signature.encode())
        return is_ours and re.fullmatch("[0-9]{1,12}", until) is not None and now.timestamp() < int(until)

    def _signature(self, media_id: str, until: str) -> str:
        return hmac.new(self.secret, f"picture|{media_id}|{until}".encode(), hashlib.sha256).hexdigest()


class PicturePage:
    """Answers the links. Whatever is wrong with one, it says only that nothing is there."""

    def __init__(self, db: Db, clock: Clock, store: MediaStore, links: PictureLinks) -> None:
        self._db, self._clock, self._store, self._links = db, clock, store, links

    async def answer(self, request: Request) -> Response:
        media_id, query = request.path_params["media"], request.query_params
        is_good = self._links.is_good(media_id, query.get("until", ""), query.get("sig", ""), self._clock.now())
        picture = await open_picture(self._db, self._store, media_id) if is_good else None
        if picture is None:
            return PlainTextResponse("Not found\n", 404, {"Cache-Control": "no-store"})
        headers = {
            "Content-Length": str(picture.size),
            "Content-Disposition": f'inline; filename="{file_name(picture.content_type)}"',
            "Cache-Control": "private",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        if request.method == "HEAD":  # Twilio looks before it fetches
            return Response(headers=headers, media_type=picture.content_type)
        return StreamingResponse(picture.chunks, headers=headers, media_type=picture.content_type)


def file_name(content_type: str) -> str:
    """A plain name: Twilio takes up to 20 characters and no others than letters, digits and the dot."""
    return f"picture.{content_type.rpartition('/')[2].replace('jpeg', 'jpg')}"
