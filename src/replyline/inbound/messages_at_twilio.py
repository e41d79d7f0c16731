"""Twilio keeps the messages of people who were forgotten until it is told to delete them, one by one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from replyline.clock import Clock
from replyline.db import Db, new_id
from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import audit_events, twilio_deletions
from replyline.inbound.media_at_twilio import wait_after
from replyline.log import get_log
from replyline.twilio.client import InDoubt, SendError, Throttled, TwilioClient
from replyline.work import Claimed, arm, finish, later

log = get_log(__name__)

KIND = "twilio_delete"
AT_ONCE, AT_MOST = 5, 100  # requests open at the same time, and messages before others get a turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """Whose messages, and who has asked for it. `person` is a keyed hash."""

    line: str
    person: str
    actor: str


def delete_later(conn: Connection, erasure: Erasure, messages: Sequence[tuple[str, bool]], now: datetime) -> None:
    """Have messages deleted at Twilio: their SIDs, and whether something is attached to them."""
    if not messages:
        return
    key = new_id("era")
    shared = {"erasure": key, "line": erasure.line, "person": erasure.person, "actor": erasure.actor, "asked_at": now}
    ADD(conn, [shared | {"sid": sid, "has_media": has_media} for sid, has_media in messages])
    arm(conn, kind=KIND, key=key, due=now, now=now)


def left_of(conn: Connection, line: str, person: str) -> int:
    """How many of somebody's messages Twilio still has that it is to delete."""
    return conn.execute(LEFT_OF_PERSON, {"of_line": line, "of_person": person}).scalar_one()


class DeleteErased:
    """Deletes the messages of one erasure. It is a promise to people, so it is tried until it is done."""

    def __init__(self, db: Db, clock: Clock, twilio: TwilioClient) -> None:
        self._db, self._clock, self._twilio = db, clock, twilio

    async def __call__(self, job: Claimed) -> None:
        rows = await self._db.run(still_there, job.key)
        troubles: list[str] = []
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            ended = await asyncio.gather(*(self._delete(row) for row in some))
            tried = [row.sid for row, trouble in zip(some, ended, strict=True) if trouble]
            gone = [row.sid for row, trouble in zip(some, ended, strict=True) if not trouble]
            await self._db.run(settle, gone=gone, tried=tried, now=self._clock.now())
            troubles += [str(trouble) for trouble in ended if trouble]
            if any(isinstance(trouble, Throttled | InDoubt) for trouble in ended):
                break  # it is not about this message: the others would fare no better
        if troubles:
            log.warning("messages_still_at_twilio", erasure=job.key, attempts=job.attempts, why=troubles[0])
        await self._db.run(go_on, job, wait=bool(troubles), now=self._clock.now())

    async def _delete(self, row: AnyRow) -> SendError | str | None:
        """None when it is gone, else why not."""
        try:
            is_gone = await self._twilio.delete(row.sid, with_media=row.has_media)
        except SendError as error:
            return error
        return None if is_gone else "Twilio is still at work on a message."


def still_there(conn: Connection, erasure: str) -> Sequence[AnyRow]:
    """What Twilio is still to delete; what it would not delete before comes last."""
    return conn.execute(STILL_THERE, {"of_erasure": erasure, "most": AT_MOST}).all()


def settle(conn: Connection, *, gone: Sequence[str], tried: Sequence[str], now: datetime) -> None:
    if gone:
        conn.execute(GONE, {"sids": list(gone), "now": now})
    if tried:
        conn.execute(TRIED, {"sids": list(tried)})


def go_on(conn: Connection, job: Claimed, *, wait: bool, now: datetime) -> None:
    """Come again for what is left; or write down that all of it is gone."""
    if conn.execute(LEFT_OF_ERASURE, {"of_erasure": job.key}).scalar_one():
        due = now + wait_after(job.attempts) if wait else now
        later(conn, job, due=due, keep_attempts=wait)
        return
    finish(conn, job, now=now)
    rows = conn.execute(ALL, {"of_erasure": job.key}).all()
    if not rows:
        return
    conn.execute(AUDIT, {"id": new_id("aud"), "line": rows[0].line, "at": now, "actor": rows[0].actor,
                         "kind": "erase_at_twilio", "person": rows[0].person,
                         "details": {"messages": len(rows)}})  # fmt: skip
    conn.execute(FORGET, {"of_erasure": job.key})
    log.info("messages_gone_at_twilio", erasure=job.key, count=len(rows))


ADD = if_new(twilio_deletions)
_theirs = twilio_deletions.c.erasure == bindparam("of_erasure")
_is_there = twilio_deletions.c.gone_at.is_(None)
_sids = twilio_deletions.c.sid.in_(bindparam("sids", expanding=True))
ALL = select(twilio_deletions).where(_theirs)
STILL_THERE = (
    select(twilio_deletions.c.sid, twilio_deletions.c.has_media)
    .where(_theirs, _is_there)
    .order_by(twilio_deletions.c.tries, twilio_deletions.c.sid)
    .limit(bindparam("most"))
)
GONE = update(twilio_deletions).where(_sids).values(gone_at=bindparam("now", type_=UtcTime))
TRIED = update(twilio_deletions).where(_sids).values(tries=twilio_deletions.c.tries + 1)
LEFT_OF_ERASURE = select(func.count()).where(_theirs, _is_there)
LEFT_OF_PERSON = select(func.count()).where(
    twilio_deletions.c.line == bindparam("of_line"), twilio_deletions.c.person == bindparam("of_person"), _is_there
)
FORGET = delete(twilio_deletions).where(_theirs)
AUDIT = insert(audit_events)
