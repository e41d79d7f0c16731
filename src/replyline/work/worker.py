"""Takes work as it falls due and calls the plain coroutine that does it."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.db import Db
from replyline.log import get_log
from replyline.work.owner import own_name
from replyline.work.queue import (
    LEASE,
    Claimed,
    Gate,
    LostLease,
    Taken,
    hand_back,
    later,
    renew,
    take,
    take_back,
    topic_of,
)
from replyline.work.room import Pulse, Room

log = get_log(__name__)

Do = Callable[[Claimed], Awaitable[None]]

POLL = timedelta(seconds=5)  # only the safety net: commits wake us
BREATH = 0.02  # seconds for the event loop to catch up
PAUSE = 0.01  # between two claims, so a flood of texts is not a flood of queries
MOST_IN_ONE = 200  # rows claimed or renewed in one transaction, so that a webhook does not wait for thousands
OTHERS_FIRST = 2.0  # seconds that a pool which is cut off leaves what is due to processes that may not be
LONGEST_BACKOFF = timedelta(minutes=5)
CLEARING_UP = 3.0  # seconds for what was canceled to let go of what it has open
MOMENT = 0.5  # seconds in which work whose row is gone may still be coming to its end


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Kinds of work that share a number of places, with the coroutine for each kind. One may be a `Gate` too."""

    kinds: Mapping[str, Do]
    at_once: int
    begun_together: int = MOST_IN_ONE  # at most: what begins in one moment ends in one, and webhooks wait behind it
    is_cut_off: Callable[[], bool] = lambda: False  # from what the work needs: then others go first


class Worker:
    """Runs the pools until told to stop; then finishes or hands back what it holds."""

    def __init__(self, db: Db, clock: Clock, pools: Sequence[Pool], *, lease: timedelta = LEASE) -> None:
        self._db, self._clock, self._lease = db, clock, lease
        self._pulse = Pulse()
        self._pools = [
            RunningPool(db, clock, pool, owner=own_name(), lease=lease, room=Room(pool.at_once, self._pulse))
            for pool in pools
        ]
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Work until `stop` is called and what was begun has ended."""
        self._ended.clear()
        try:
            await self._take_back()
            with self._pulse.beating():
                await self._work()
        finally:
            self._ended.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            working = [group.create_task(pool.run(self._stopping)) for pool in self._pools]
            await asyncio.wait(working)
            renewing.cancel()

    async def stop(self, grace: float = 15.0) -> None:
        """Take nothing more, give what runs `grace` seconds to end, and hand the rest back to others."""
        self._stopping.set()
        for pool in self._pools:
            pool.wake()
        if await self._has_ended(grace):
            return
        left = self._held()
        for pool in self._pools:
            pool.cancel_all()
        await self._has_ended(CLEARING_UP)
        try:
            await self._db.run(hand_back, left, now=self._clock.now())
            log.info("work_handed_back", count=len(left))
        except Exception:  # the leases end by themselves, only later
            log.exception("work_not_handed_back", count=len(left))

    async def work_until_idle(self, rounds: int = 1000) -> None:
        """Do everything that is due now, and what that makes due, then return. For tests and scripts."""
        for _ in range(rounds):
            if not sum([await pool.work_once() for pool in self._pools]):
                return
        raise AssertionError("The work did not come to an end: something arms itself again at once.")

    async def _has_ended(self, within: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), within)
        return self._ended.is_set()

    def _held(self) -> list[Claimed]:
        return [job for pool in self._pools for job in pool.held()]

    async def _take_back(self) -> None:
        try:
            count = await self._db.run(take_back, now=self._clock.now())
        except Exception:  # the leases end by themselves, only later
            log.exception("work_not_taken_back")
            return
        if count:
            log.warning("work_taken_back", count=count)

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(self._lease.total_seconds() / 3)
            held = self._held()
            for start in range(0, len(held), MOST_IN_ONE):
                await self._renew_some(held[start : start + MOST_IN_ONE])

    async def _renew_some(self, held: Sequence[Claimed]) -> None:
        try:
            still = await self._db.run(renew, held, now=self._clock.now(), lease=self._lease)
        except Exception:  # the lease goes on for two more rounds
            log.exception("lease_not_renewed", count=len(held))
            return
        for pool in self._pools:
            pool.drop([job for job in held if job not in still])


class RunningPool:
    """One pool at work: a loop that claims, and a task for each thing claimed."""

    def __init__(self, db: Db, clock: Clock, pool: Pool, *, owner: str, lease: timedelta, room: Room) -> None:
        self._db, self._clock, self._pool, self._owner, self._lease = db, clock, pool, owner, lease
        self._room, self._is_full = room, False
        self._kinds = list(pool.kinds)
        self._gates = gates_among(pool.kinds)
        self._passes_gates = True
        self._running: dict[Claimed, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim and start until told to stop, then wait for what was started."""
        deaf = self._listen(asyncio.get_running_loop())
        try:
            while not stopping.is_set():
                self._woken.clear()
                if self._pool.is_cut_off():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stopping.wait(), OTHERS_FIRST)
                        break
                wait = await self._claim_and_start(stopping)
                if not stopping.is_set():
                    await asyncio.sleep(PAUSE)
                    await self._sleep(wait - PAUSE)
            await self._let_end()
        finally:
            for stop_listening in deaf:
                stop_listening()
            self.cancel_all()  # nothing is left, unless we were canceled ourselves

    async def work_once(self) -> int:
        """Claim what is due, see all of it through, and say how much it was."""
        taken = await self._db.run(self._claim, self._pool.at_once)
        await asyncio.gather(*(self._do(job) for job in taken.jobs))
        return taken.count

    def wake(self) -> None:
        self._woken.set()

    def held(self) -> list[Claimed]:
        return list(self._running)

    def drop(self, lost: Sequence[Claimed]) -> None:
        """Cancel what another worker has taken over. What has just been finished looks the same, so it gets a moment."""
        for job in lost:
            if job in self._running:
                asyncio.get_running_loop().call_later(MOMENT, self._cancel, job)

    def cancel_all(self) -> None:
        for task in self._running.values():
            task.cancel()

    def _cancel(self, job: Claimed) -> None:
        if job in self._running:
            log.warning("lease_lost", kind=job.kind, key=job.key)
            self._running[job].cancel()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> list[Callable[[], None]]:
        def woken() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, so nobody needs waking
                loop.call_soon_threadsafe(self.wake)

        return [self._db.listen(topic_of(kind), woken) for kind in self._kinds]

    async def _claim_and_start(self, stopping: asyncio.Event) -> float:
        """Fill the free places. Gives the seconds until there may be more to do."""
        free = self._room.free(len(self._running), asyncio.get_running_loop().time())
        self._is_full = free <= 0
        if self._is_full:
            return BREATH  # or until the next that ends wakes us
        try:
            taken = await self._db.run(self._claim, min(free, self._pool.begun_together))
            jobs = taken.jobs
            if stopping.is_set():  # what a gate has begun goes on; the rest is for others
                await self._db.run(hand_back, [job for job in jobs if job.brought is None], now=self._clock.now())
                jobs = [job for job in jobs if job.brought is not None]
        except Exception:  # the database is away, or a gate cannot cope with something that is due: ask again without
            log.exception("claim_failed", kinds=self._kinds)
            self._passes_gates = False
            return 1
        self._passes_gates = True
        for job in jobs:
            self._start(job)
        return (min(taken.due - self._clock.now(), POLL) if taken.due else POLL).total_seconds()

    def _claim(self, conn: Connection, limit: int) -> Taken:
        # Each kind gets to be the first, so that a backlog of one does not shut out another of its priority.
        self._kinds.append(self._kinds.pop(0))
        return take(
            conn,
            owner=self._owner,
            kinds=self._kinds,
            limit=limit,
            now=self._clock.now(),
            lease=self._lease,
            gates=self._gates if self._passes_gates else None,
        )

    def _start(self, job: Claimed) -> None:
        task = asyncio.create_task(self._do(job), name=f"{job.kind} {job.key}")
        self._running[job] = task
        task.add_done_callback(lambda _: self._leave(job))

    def _leave(self, job: Claimed) -> None:
        del self._running[job]
        self._room.ended()
        if self._is_full:
            self.wake()

    async def _let_end(self) -> None:
        while self._running:
            await asyncio.wait(self._running.values())

    async def _do(self, job: Claimed) -> None:
        try:
            await self._pool.kinds[job.kind](job)
        except LostLease as lost:
            log.warning("lease_lost", kind=job.kind, key=job.key, why=str(lost))
        except Exception:
            wait = backoff(job.attempts)
            log.exception(
                "work_failed", kind=job.kind, key=job.key, attempts=job.attempts, again_in=wait.total_seconds()
            )
            await self._put_off(job, self._clock.now() + wait)

    async def _put_off(self, job: Claimed, due: datetime) -> None:
        try:
            await self._db.run(later, job, due=due)
        except LostLease:
            log.warning("lease_lost", kind=job.kind, key=job.key)
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


def gates_among(kinds: Mapping[str, object]) -> dict[str, Gate]:
    return {kind: do for kind, do in kinds.items() if isinstance(do, Gate)}


def backoff(attempts: int) -> timedelta:
    """1 s, 2 s, 4 s ... up to five minutes, each up to a quarter more so that failures spread out."""
    seconds = min(2.0 ** min(attempts - 1, 20), LONGEST_BACKOFF.total_seconds())
    return timedelta(seconds=seconds * random.uniform(1, 1.25))  # noqa: S311 - jitter, not a secret
