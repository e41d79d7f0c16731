"""Pictures people send: fetched after the webhook was answered, kept, and shown to the model by the turn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.conversations import picture_types, pictures
from replyline.conversations.media_store import MediaStore
from replyline.conversations.pictures import Attachment
from replyline.db import CHANGE, Db, wake
from replyline.inbound import media_at_twilio
from replyline.log import get_log
from replyline.twilio.media import MediaAway, MediaFetcher, MediaRefused
from replyline.work import Claimed, arm, finish, later
from replyline.work.worker import backoff

log = get_log(__name__)

KIND = "media"
TRIES = 12  # over some twenty minutes; the turn has long gone on without the picture


def fetch_later(conn: Connection, text_id: str, now: datetime) -> None:
    """Have what is attached to a text fetched, at once but not within the webhook."""
    arm(conn, kind=KIND, key=text_id, due=now, now=now, priority=1)


class FetchMedia:
    """Fetches what is attached to one text, and has it deleted at Twilio afterwards where the line says so."""

    def __init__(
        self, db: Db, clock: Clock, fetcher: MediaFetcher, store: MediaStore, *, delete_at_twilio: bool = False
    ) -> None:
        self._db, self._clock, self._fetcher, self._store = db, clock, fetcher, store
        self._delete_at_twilio = delete_at_twilio

    async def __call__(self, job: Claimed) -> None:
        attached = await self._db.run(pictures.attached_to, [job.key])
        is_last_try = job.attempts >= TRIES
        ended = await asyncio.gather(
            *(self._fetch(each, is_last_try=is_last_try) for each in attached if each.state == "waiting"),
            return_exceptions=True,  # what is wrong with one keeps none of the others
        )
        troubles = [each for each in ended if isinstance(each, BaseException)]
        unforeseen = [each for each in troubles if not isinstance(each, MediaAway)]
        if unforeseen:
            raise unforeseen[0]
        if troubles:
            log.warning("media_put_off", text=job.key, attempts=job.attempts, why=str(troubles[0]))
            await self._db.run(later, job, due=self._clock.now() + backoff(job.attempts))
        else:
            await self._db.run(finish, job, now=self._clock.now())

    async def _fetch(self, attachment: Attachment, *, is_last_try: bool) -> None:
        try:
            await self._keep(attachment)
        except MediaRefused as error:
            await self._lose(attachment, str(error))
        except MediaAway as error:
            if not is_last_try:
                raise
            await self._lose(attachment, str(error))

    async def _keep(self, attachment: Attachment) -> None:
        """Let the bytes flow into the store. The key is always the same, so a second try overwrites the first."""
        key = key_of(attachment.id)
        async with self._fetcher.open(attachment.url) as chunks:
            passing = Passing(chunks)
            await self._store.put(key, passing.watched())
        await self._db.run(
            kept,
            attachment,
            path=key,
            size=passing.size,
            content_type=picture_types.type_of(passing.first),
            delete_at_twilio=self._delete_at_twilio,
            now=self._clock.now(),
        )

    async def _lose(self, attachment: Attachment, why: str) -> None:
        log.warning("media_lost", media=attachment.id, text=attachment.text_id, why=why)
        await self._db.run(pictures.lose, attachment, why=why)


def key_of(media_id: str) -> str:
    """Where a picture that arrived is kept, or will be."""
    return f"{media_id[4:10]}/{media_id}"


class Passing:
    """What flows by on its way to the store: how much, and how it begins."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.size = 0
        self.first = b""

    async def watched(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self.size += len(chunk)
            self.first = (self.first + chunk[: picture_types.ENOUGH])[: picture_types.ENOUGH]
            yield chunk
        if not self.size:
            raise MediaRefused("A picture came without content.")


def kept(
    conn: Connection,
    attachment: Attachment,
    *,
    path: str,
    size: int,
    content_type: str,
    delete_at_twilio: bool,
    now: datetime,
) -> None:
    """Write down that our copy is safe. Only from then on may Twilio's be deleted."""
    twilio_copy = "due" if delete_at_twilio else None
    is_news = pictures.keep(conn, attachment, path=path, size=size, content_type=content_type, twilio_copy=twilio_copy)
    if is_news and delete_at_twilio:
        media_at_twilio.delete_later(conn, attachment.text_id, now)
    wake(conn, CHANGE)
