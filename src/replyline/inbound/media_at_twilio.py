"""Twilio keeps what people sent until it is told to delete it; a line may want that, once our copy is safe."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.conversations import pictures
from replyline.db import Db
from replyline.log import get_log
from replyline.twilio.media import MediaAway, MediaFetcher
from replyline.work import Claimed, arm, finish, later

log = get_log(__name__)

KIND = "media_delete"
LONGEST_WAIT = timedelta(hours=6)


def delete_later(conn: Connection, text_id: str, now: datetime) -> None:
    """Have Twilio's copies of what is attached to a text deleted."""
    arm(conn, kind=KIND, key=text_id, due=now, now=now)


class DeleteAtTwilio:
    """Deletes what is due of one text. It is a promise to people, so it is tried until it is done."""

    def __init__(self, db: Db, clock: Clock, fetcher: MediaFetcher) -> None:
        self._db, self._clock, self._fetcher = db, clock, fetcher

    async def __call__(self, job: Claimed) -> None:
        for attachment in await self._db.run(pictures.attached_to, [job.key]):
            if attachment.twilio_copy != "due":
                continue
            try:
                await self._fetcher.delete(attachment.url)
            except MediaAway as error:
                log.warning("media_still_at_twilio", media=attachment.id, attempts=job.attempts, why=str(error))
                await self._db.run(later, job, due=self._clock.now() + wait_after(job.attempts))
                return
            await self._db.run(pictures.gone_at_twilio, attachment.id)
        await self._db.run(finish, job, now=self._clock.now())


def wait_after(attempts: int) -> timedelta:
    """1 s, 2 s, 4 s ... up to six hours."""
    return min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_WAIT)
