"""The worker: claims as work falls due, renews, fails softly, stops cleanly."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import select

from replyline.clock import SystemClock
from replyline.db import open_db
from replyline.db.tables import work
from replyline.work import Pool, Worker, arm, claim, finish, later
from tests.support.databases import away, only_on_postgres

SECOND = timedelta(seconds=1)


class Desk:
    """A worker whose handler the test writes, and a note of what was done."""

    def __init__(self, db, clock):
        self.db, self.clock = db, clock
        self.done = []
        self.workers = []

    async def arm(self, key, *, after=timedelta(), kind="turn"):
        now = self.clock.now()
        await self.db.run(arm, kind=kind, key=key, due=now + after, now=now)

    def worker(self, do=None, *, db=None, at_once=5, is_cut_off=lambda: False, **more):
        pool = Pool(kinds={"turn": do or self.do}, at_once=at_once, is_cut_off=is_cut_off)
        worker = Worker(db or self.db, self.clock, [pool], **more)
        self.workers.append(worker)
        return worker

    async def do(self, job):
        self.done.append(job.key)
        await self.finish(job)

    async def finish(self, job):
        await self.db.run(finish, job, now=self.clock.now())

    async def until(self, condition, within=10.0):
        async with asyncio.timeout(within):
            while not condition():
                await asyncio.sleep(0.005)

    async def rows(self):
        return await self.db.run(lambda conn: conn.execute(select(work).order_by(work.c.key)).all())


@pytest.fixture
async def desk(db, clock):
    desk = Desk(db, clock)
    yield desk
    for worker in desk.workers:
        await worker.stop(grace=0.1)


@pytest.fixture
async def live_desk(db):
    """A desk by the machine's own clock."""
    desk = Desk(db, SystemClock())
    yield desk
    for worker in desk.workers:
        await worker.stop(grace=0.1)


async def running(worker):
    task = asyncio.ensure_future(worker.run())
    await asyncio.sleep(0.05)
    return task


async def test_work_until_idle_does_all_that_is_due_and_what_that_makes_due(desk):
    async def do(job):
        await desk.do(job)
        if job.key == "ana":
            await desk.arm("bruno")

    await desk.arm("ana")
    await desk.arm("later", after=SECOND)
    await desk.worker(do).work_until_idle()
    assert desk.done == ["ana", "bruno"]


async def test_work_that_never_ends_is_reported_by_work_until_idle(desk):
    async def do(job):
        await desk.db.run(later, job, due=desk.clock.now())

    await desk.arm("ana")
    with pytest.raises(AssertionError, match="arms itself again"):
        await desk.worker(do).work_until_idle(rounds=5)


async def test_a_commit_wakes_the_worker(desk):
    task = await running(desk.worker())
    await desk.arm("ana")
    await desk.until(lambda: desk.done == ["ana"], within=1)
    assert not task.done()


@only_on_postgres  # on SQLite one process does it all
async def test_a_commit_through_another_connection_wakes_the_worker(desk, database_url):
    await running(desk.worker())
    await asyncio.sleep(0.2)
    other = open_db(database_url)
    now = desk.clock.now()
    await other.run(arm, kind="turn", key="ana", due=now, now=now)
    await other.close()
    await desk.until(lambda: desk.done == ["ana"], within=2)


async def test_the_worker_wakes_when_work_falls_due(desk):
    await running(desk.worker())
    await desk.arm("ana", after=3 * SECOND)
    await asyncio.sleep(0.1)
    assert desk.done == []
    desk.clock.advance(seconds=3)
    await desk.until(lambda: desk.done == ["ana"], within=1)


async def test_no_more_is_begun_than_there_are_places(desk):
    most = 0
    let_go = asyncio.Event()
    begun = []

    async def do(job):
        nonlocal most
        begun.append(job.key)
        most = max(most, len(begun) - len(desk.done))
        await let_go.wait()
        await desk.do(job)

    for n in range(9):
        await desk.arm(f"c{n}")
    await running(desk.worker(do, at_once=3))
    await desk.until(lambda: len(begun) == 3)
    let_go.set()
    await desk.until(lambda: len(desk.done) == 9)
    assert most == 3


async def test_two_workers_share_the_work_and_nothing_is_done_twice(live_desk, database_url):
    other = open_db(database_url)
    await running(live_desk.worker())
    await running(live_desk.worker(db=other))
    for n in range(60):
        await live_desk.arm(f"c{n}")
    await live_desk.until(lambda: len(live_desk.done) >= 60)
    await asyncio.sleep(0.1)
    assert len(live_desk.done) == len(set(live_desk.done)) == 60
    for worker in live_desk.workers:
        await worker.stop()
    await other.close()


async def test_a_worker_that_is_cut_off_leaves_what_is_due_to_others(live_desk, database_url):
    """Otherwise one machine without a way to Twilio would take, and fail at, half of what leaves."""
    failed = []

    async def fail(job):
        failed.append(job.key)

    other = open_db(database_url)
    for n in range(30):
        await live_desk.arm(f"c{n}")
    await running(live_desk.worker(fail, is_cut_off=lambda: True))
    await running(live_desk.worker(db=other, at_once=30))
    await live_desk.until(lambda: len(live_desk.done) == 30)
    assert failed == []
    for worker in live_desk.workers:
        await worker.stop()
    await other.close()


async def test_a_worker_that_is_cut_off_tries_when_nobody_else_does(live_desk):
    await running(live_desk.worker(is_cut_off=lambda: True))
    await live_desk.arm("a")
    await live_desk.until(lambda: live_desk.done == ["a"])


async def test_a_worker_that_is_cut_off_stops_at_once(live_desk):
    worker = live_desk.worker(is_cut_off=lambda: True)
    task = await running(worker)
    await worker.stop(grace=1)
    assert task.done()


async def test_work_that_fails_is_tried_again_later_and_the_worker_goes_on(desk):
    tries = []

    async def do(job):
        tries.append((job.key, job.attempts))
        if job.key == "bad" and job.attempts < 3:
            raise LookupError("not yet")
        await desk.finish(job)

    await desk.arm("bad")
    await desk.arm("good")
    worker = desk.worker(do)
    await worker.work_until_idle()
    assert sorted(tries) == [("bad", 1), ("good", 1)]
    desk.clock.advance(seconds=1.3)
    await worker.work_until_idle()
    desk.clock.advance(seconds=1.3)
    await worker.work_until_idle()
    assert ("bad", 3) not in tries  # the second wait is longer
    desk.clock.advance(seconds=1.3)
    await worker.work_until_idle()
    assert tries[-1] == ("bad", 3)
    assert await desk.rows() == []


async def test_a_lease_is_renewed_while_the_work_goes_on(desk):
    let_go = asyncio.Event()

    async def do(job):
        await let_go.wait()
        await desk.do(job)

    await desk.arm("ana")
    await running(desk.worker(do))
    for _ in range(5):
        desk.clock.advance(seconds=11)
        await asyncio.sleep(0.05)
    assert await desk.db.run(claim, owner="other", kinds=["turn"], limit=1, now=desk.clock.now()) == []
    let_go.set()
    await desk.until(lambda: desk.done == ["ana"])


async def test_work_that_another_worker_took_over_is_canceled(desk):
    ended = []

    async def do(job):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(job.key)

    await desk.arm("ana")
    worker = desk.worker(do)
    await running(worker)
    await desk.until(worker._held)
    (row,) = await desk.rows()
    (job,) = await desk.db.run(claim, owner="other", kinds=["turn"], limit=1, now=row.due)
    desk.clock.advance(seconds=11)
    await desk.until(lambda: ended == ["ana"])
    await desk.finish(job)


async def test_stopping_waits_for_what_runs(desk):
    async def do(job):
        await asyncio.sleep(0.2)
        await desk.do(job)

    await desk.arm("ana")
    worker = desk.worker(do)
    task = await running(worker)
    await desk.until(worker._held)
    await worker.stop()
    assert desk.done == ["ana"]
    assert task.done()


async def test_stopping_hands_back_what_does_not_end_within_the_grace(desk):
    async def do(job):
        await asyncio.sleep(60)

    await desk.arm("ana")
    worker = desk.worker(do)
    task = await running(worker)
    await desk.until(worker._held)
    begun = asyncio.get_running_loop().time()
    await worker.stop(grace=0.2)
    assert asyncio.get_running_loop().time() - begun < 2
    assert task.done()
    (job,) = await desk.db.run(claim, owner="other", kinds=["turn"], limit=1, now=desk.clock.now())
    assert (job.key, job.attempts) == ("ana", 1)


async def test_nothing_is_begun_once_it_is_told_to_stop(desk):
    worker = desk.worker()
    await running(worker)
    await worker.stop()
    await desk.arm("ana")
    await asyncio.sleep(0.1)
    assert desk.done == []


async def test_stopping_a_worker_that_never_ran_does_nothing(desk):
    await desk.worker().stop()


async def test_a_worker_can_be_canceled(desk):
    ended = []

    async def do(job):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(job.key)

    await desk.arm("ana")
    worker = desk.worker(do)
    task = await running(worker)
    await desk.until(worker._held)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.until(lambda: ended == ["ana"])


async def test_a_backlog_of_one_kind_does_not_shut_out_another(desk):
    order = []

    async def do(job):
        order.append(job.kind)
        await desk.finish(job)

    for n in range(20):
        await desk.arm(f"c{n}", kind="flood")
    for n in range(3):
        await desk.arm(f"c{n}", kind="rare")
    await Worker(desk.db, desk.clock, [Pool(kinds={"flood": do, "rare": do}, at_once=2)]).work_until_idle()
    assert order.index("rare") < 6


@only_on_postgres
async def test_the_worker_survives_a_database_that_goes_away_for_a_moment(live_desk, database_url):
    await running(live_desk.worker())
    await live_desk.arm("before")
    await live_desk.until(lambda: live_desk.done == ["before"])
    async with gone(database_url):
        arming = asyncio.ensure_future(live_desk.arm("meanwhile"))
        await asyncio.sleep(1)
    await arming
    await live_desk.arm("after")
    await live_desk.until(lambda: sorted(live_desk.done) == ["after", "before", "meanwhile"])


@asynccontextmanager
async def gone(url):
    leaving = away(url)
    await asyncio.to_thread(leaving.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(leaving.__exit__, None, None, None)


async def test_a_gate_that_breaks_does_not_hold_up_what_it_guards(desk):
    class Broken:
        def open(self, conn, places, now):
            raise ValueError("a gate's own fault")

        async def __call__(self, job):
            await desk.do(job)

    def time_passes_until_it_is_done():
        desk.clock.advance(seconds=1)
        return desk.done == ["ana"]

    await desk.arm("ana")
    with structlog.testing.capture_logs() as logs:
        await running(desk.worker(Broken()))
        await desk.until(time_passes_until_it_is_done)
    assert "claim_failed" in {entry["event"] for entry in logs}
