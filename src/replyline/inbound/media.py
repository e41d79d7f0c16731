"""Pictures people send: fetched after the webhook was answered, kept, and shown to the model by the turn."""

import asyncio
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.conversations import pictures
from replyline.conversations.pictures import Attachment
from replyline.db import CHANGE, Db, wake
from replyline.log import get_log
from replyline.twilio.media import MediaAway, MediaFetcher, MediaRefused
from replyline.work import Claimed, arm, finish

log = get_log(__name__)

KIND = "media"
TRIES = 6


def fetch_later(conn: Connection, text_id: str, now: datetime) -> None:
    """Have what is attached to a text fetched, at once but not within the webhook."""
    arm(conn, kind=KIND, key=text_id, due=now, now=now, priority=1)


class FetchMedia:
    """Fetches what is attached to one text."""

    def __init__(self, db: Db, clock: Clock, fetcher: MediaFetcher, folder: Path) -> None:
        self._db, self._clock, self._fetcher, self._folder = db, clock, fetcher, folder

    async def __call__(self, job: Claimed) -> None:
        for attachment in await self._db.run(pictures.attached_to, [job.key]):
            if attachment.state == "waiting":
                await self._fetch(attachment, is_last_try=job.attempts >= TRIES)
        await self._db.run(finish, job, now=self._clock.now())

    async def _fetch(self, attachment: Attachment, *, is_last_try: bool) -> None:
        try:
            content = await self._fetcher.fetch(attachment.url)
        except MediaRefused as error:
            await self._lose(attachment, str(error))
            return
        except MediaAway as error:
            if not is_last_try:
                raise
            await self._lose(attachment, str(error))
            return
        path = await asyncio.to_thread(pictures.write, self._folder, attachment.id, content)
        content_type = pictures.type_of(content) or attachment.content_type
        await self._db.run(kept, attachment.id, path, len(content), content_type)

    async def _lose(self, attachment: Attachment, why: str) -> None:
        log.warning("media_lost", media=attachment.id, text=attachment.text_id, why=why)
        await self._db.run(pictures.lose, attachment, why=why)


def kept(conn: Connection, attachment_id: str, path: str, size: int, content_type: str) -> None:
    pictures.keep(conn, attachment_id, path=path, size=size, content_type=content_type)
    wake(conn, CHANGE)
