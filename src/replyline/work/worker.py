"""Takes work as it falls due and calls the plain coroutine that does it."""

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.db import Db
from replyline.log import get_log
from replyline.work.queue import LEASE, Claimed, LostLease, claim, hand_back, later, next_due, renew, topic_of

log = get_log(__name__)

Do = Callable[[Claimed], Awaitable[None]]

POLL = timedelta(seconds=5)  # only the safety net: commits wake us
PAUSE = 0.01  # between two claims that found nothing, so a flood of texts is not a flood of queries
LONGEST_BACKOFF = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Kinds of work that share a number of places, with the coroutine for each kind."""

    kinds: Mapping[str, Do]
    at_once: int


class Worker:
    """Runs the pools until told to stop; then finishes or hands back what it holds."""

    def __init__(self, db: Db, clock: Clock, pools: Sequence[Pool], *, lease: timedelta = LEASE) -> None:
        self._db, self._clock, self._lease = db, clock, lease
        self._pools = [RunningPool(self, pool) for pool in pools]
        self._stopping = asyncio.Event()
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}"

    async def run(self) -> None:
        """Work until `stop` is called."""
        async with asyncio.TaskGroup() as group:
            for pool in self._pools:
                pool.listen(asyncio.get_running_loop())
                group.create_task(pool.run(self._stopping))
            renewing = group.create_task(self._renew())
            await self._stopping.wait()
            renewing.cancel()

    async def stop(self, grace: float = 15.0) -> None:
        """Take nothing more, give what runs `grace` seconds to end, and hand the rest back to others."""
        self._stopping.set()
        for pool in self._pools:
            pool.wake()
        running = {task: job for pool in self._pools for job, task in pool.running.values()}
        if running:
            await asyncio.wait(running, timeout=grace)
        left = [job for task, job in running.items() if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if left:
            await self._db.run(hand_back, left, now=self._clock.now())
            log.info("work_handed_back", count=len(left))

    async def work_until_idle(self, rounds: int = 1000) -> None:
        """Do everything that is due now, and what that makes due, then return. For tests and scripts."""
        for _ in range(rounds):
            if not [await pool.work_once() for pool in self._pools if await pool.has_due()]:
                return
        raise AssertionError("The work did not come to an end: something arms itself again at once.")

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            held = [job for pool in self._pools for job, _ in pool.running.values()]
            if not held:
                continue
            try:
                still = await self._db.run(renew, held, now=self._clock.now(), lease=self._lease)
            except Exception:  # the lease goes on for two more rounds
                log.exception("lease_not_renewed", count=len(held))
                continue
            for pool in self._pools:
                pool.drop_lost({f"{job.kind}:{job.key}" for job in held} - still)


class RunningPool:
    """One pool at work: a loop that claims, and a task for each thing claimed."""

    def __init__(self, worker: Worker, pool: Pool) -> None:
        self._worker, self._pool = worker, pool
        self._db, self._clock, self._lease = worker._db, worker._clock, worker._lease
        self.running: dict[str, tuple[Claimed, asyncio.Task[None]]] = {}
        self._woken = asyncio.Event()

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        def woken() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.wake)

        for kind in self._pool.kinds:
            self._db.listen(topic_of(kind), woken)

    def wake(self) -> None:
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._woken.clear()
            try:
                wait = await self._claim_and_start(stopping)
            except Exception:  # the database is away: say so and ask again
                log.exception("claim_failed", kinds=list(self._pool.kinds))
                wait = 1.0
            if wait > 0:
                await asyncio.sleep(min(PAUSE, wait))
                await self._sleep(wait)

    async def work_once(self) -> None:
        """Claim what is due and see all of it through."""
        claimed, _ = await self._db.run(self._claim, self._pool.at_once)
        await asyncio.gather(*(self._do(job) for job in claimed))

    async def has_due(self) -> bool:
        due = await self._db.run(next_due, kinds=list(self._pool.kinds))
        return due is not None and due <= self._clock.now()

    def drop_lost(self, lost: set[str]) -> None:
        for key in lost & self.running.keys():
            log.warning("lease_lost", work=key)
            self.running[key][1].cancel()

    async def _claim_and_start(self, stopping: asyncio.Event) -> float:
        """Fill the free places. Gives the seconds until there may be more to do."""
        free = self._pool.at_once - len(self.running)
        if free <= 0:
            return POLL.total_seconds()  # the next that ends wakes us
        claimed, due = await self._db.run(self._claim, free)
        if stopping.is_set():
            await self._db.run(hand_back, claimed, now=self._clock.now())
            return 0
        for job in claimed:
            self._start(job)
        if len(claimed) == free:
            return 0
        return (min(due - self._clock.now(), POLL) if due else POLL).total_seconds()

    def _claim(self, conn: Connection, limit: int) -> tuple[list[Claimed], datetime | None]:
        kinds = list(self._pool.kinds)
        claimed = claim(
            conn, owner=self._worker.owner, kinds=kinds, limit=limit, now=self._clock.now(), lease=self._lease
        )
        return claimed, None if len(claimed) == limit else next_due(conn, kinds=kinds)

    def _start(self, job: Claimed) -> None:
        key = f"{job.kind}:{job.key}"
        task = asyncio.create_task(self._do(job), name=key)
        self.running[key] = (job, task)
        task.add_done_callback(lambda _: self._ended(key))

    def _ended(self, key: str) -> None:
        self.running.pop(key, None)
        if len(self.running) == self._pool.at_once - 1:
            self.wake()

    async def _do(self, job: Claimed) -> None:
        try:
            await self._pool.kinds[job.kind](job)
        except LostLease as lost:
            log.warning("lease_lost", work=f"{job.kind}:{job.key}", why=str(lost))
        except Exception:
            wait = backoff(job.attempts)
            log.exception("work_failed", kind=job.kind, key=job.key, attempts=job.attempts, again_in=wait.total_seconds())
            await self._put_off(job, self._clock.now() + wait)

    async def _put_off(self, job: Claimed, due: datetime) -> None:
        try:
            await self._db.run(later, job, due=due)
        except Exception:  # its lease ends by itself and someone takes it again
            log.exception("work_not_put_off", kind=job.kind, key=job.key)

    async def _sleep(self, seconds: float) -> None:
        """Until woken, or for so long by the clock."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waking = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()


def backoff(attempts: int) -> timedelta:
    """1 s, 2 s, 4 s ... up to five minutes, each up to a quarter more so that failures spread out."""
    seconds = min(2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF.total_seconds())
    return timedelta(seconds=seconds * random.uniform(1, 1.25))  # noqa: S311 - jitter, not a secret
