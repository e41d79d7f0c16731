"""Files of pictures that are to go: deleted after the commit that forgot them, and tried until they are gone."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select

from replyline.clock import Clock
from replyline.conversations.media_store import MediaStore
from replyline.db import Db
from replyline.db.tables import media, work
from replyline.log import get_log
from replyline.work import Arm, Claimed, arm_many, finish, later

log = get_log(__name__)

KIND = "file_delete"
LONGEST_WAIT = timedelta(hours=6)


def delete_later(conn: Connection, keys: Iterable[str], now: datetime, *, due: datetime | None = None) -> None:
    """Have files deleted by a running worker: their keys in the media store."""
    arm_many(conn, [Arm(kind=KIND, key=key, due=due or now, now=now, priority=9) for key in keys])


class DeleteFiles:
    """Deletes one file, unless a text has it still: a picture of ours is kept once for all whom it is sent to."""

    def __init__(self, db: Db, clock: Clock, store: MediaStore) -> None:
        self._db, self._clock, self._store = db, clock, store

    async def __call__(self, job: Claimed) -> None:
        try:
            await delete_now(self._db, self._store, job.key)
        except Exception as error:  # the disk or the bucket, in whatever words it has for it
            log.warning("file_still_there", file=job.key, attempts=job.attempts, why=type(error).__name__)
            wait = min(timedelta(seconds=2 ** min(job.attempts - 1, 20)), LONGEST_WAIT)
            await self._db.run(later, job, due=self._clock.now() + wait)
            return
        await self._db.run(finish, job, now=self._clock.now())


async def delete_now(db: Db, store: MediaStore, key: str) -> None:
    """Delete a file that no text has any more."""
    if not await db.run(is_used, key):
        await store.delete(key)


def is_used(conn: Connection, key: str) -> bool:
    return conn.execute(USED, {"key": key}).first() is not None


def done(conn: Connection, key: str) -> None:
    """A command has deleted it, so no worker need to; one that is at it now ends by itself."""
    conn.execute(DONE, {"of_key": key})


USED = select(media.c.id).where(media.c.path == bindparam("key")).limit(1)
DONE = delete(work).where(work.c.kind == KIND, work.c.key == bindparam("of_key"), work.c.owner.is_(None))
