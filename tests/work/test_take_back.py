"""What a dead process held is free again as soon as a worker starts on the same machine."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select

from replyline.clock import SystemClock
from replyline.db.tables import work
from replyline.work import Pool, Worker, arm, claim, finish, renew, take_back
from replyline.work.owner import is_dead, own_name, place

SECOND = timedelta(seconds=1)
A_CHILD = [
    sys.executable,
    "-c",
    "import sys; from replyline.work.owner import own_name; print(own_name(), flush=True); sys.stdin.read()",
]


@pytest.fixture(scope="module")
def dead():
    """The name of a process of this machine that has ended."""
    with subprocess.Popen(A_CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        return child.stdout.readline().strip()


async def held_by(db, clock, owner, key="ana"):
    now = clock.now()
    await db.run(arm, kind="turn", key=key, due=now, now=now)
    (job,) = await db.run(claim, owner=owner, kinds=["turn"], limit=1, now=now)
    return job


async def rows(db):
    return await db.run(lambda conn: conn.execute(select(work).order_by(work.c.key)).all())


def test_a_process_lives_until_it_has_ended():
    with subprocess.Popen(A_CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        name = child.stdout.readline().strip()
        assert not is_dead(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
        assert is_dead(name) or sys.platform != "linux"
    assert is_dead(name)


def test_this_process_lives():
    assert not is_dead(own_name())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")
def test_a_process_that_got_the_pid_of_a_dead_one_is_another():
    machine, namespace, pid, start = own_name().split("/")
    assert is_dead(f"{machine}/{namespace}/{pid}/{int(start) - 1}")


@pytest.mark.parametrize("owner", ["", "one", "elsewhere-12345678/4026531836/1/5", f"{place()}x/1", place(), "a/b/c/d"])
def test_of_a_process_that_is_not_of_this_machine_nothing_is_known(owner):
    assert not is_dead(owner)


def test_a_name_fits_its_column(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 64)
    machine, namespace, _, _ = own_name().split("/")
    assert len(f"{machine}/{namespace}/{2**22}/{10**11}") <= work.c.owner.type.length


async def test_what_a_dead_process_held_is_due_at_once_and_its_token_is_worth_nothing(db, clock, dead):
    job = await held_by(db, clock, dead)
    assert await db.run(take_back, now=clock.now()) == 1
    assert await db.run(renew, [job], now=clock.now()) == set()
    (again,) = await db.run(claim, owner="two", kinds=["turn"], limit=5, now=clock.now())
    assert (again.key, again.attempts) == ("ana", 2)


async def test_what_others_hold_or_nobody_holds_is_left_alone(db, clock, dead):
    jobs = [await held_by(db, clock, owner, owner) for owner in (own_name(), "elsewhere/1/1/1")]
    now = clock.now()
    await db.run(arm, kind="turn", key="waits", due=now + 60 * SECOND, now=now)
    before = await rows(db)
    assert await db.run(take_back, now=now) == 0
    assert await rows(db) == before
    assert await db.run(renew, jobs, now=now) == set(jobs)


async def test_what_was_armed_while_it_was_held_is_done_with_it(db, clock, dead):
    await held_by(db, clock, dead)
    now = clock.now()
    await db.run(arm, kind="turn", key="ana", due=now + 2 * SECOND, now=now)
    await db.run(take_back, now=now)
    assert [(row.due, row.again, row.owner, row.token) for row in await rows(db)] == [(now, None, None, 0)]


async def test_two_workers_that_start_together_take_it_back_once(db, clock, dead):
    for n in range(20):
        await held_by(db, clock, dead, f"c{n}")
    counts = await asyncio.gather(*(db.run(take_back, now=clock.now()) for _ in range(3)))
    assert sorted(counts) == [0, 0, 20]


async def test_a_worker_that_starts_does_what_a_dead_one_held(db, dead):
    clock, done = SystemClock(), asyncio.Event()
    await held_by(db, clock, dead)

    async def do(job):
        await db.run(finish, job, now=clock.now())
        done.set()

    worker = Worker(db, clock, [Pool(kinds={"turn": do}, at_once=5)])
    running = asyncio.ensure_future(worker.run())
    async with asyncio.timeout(5):
        await done.wait()
    await worker.stop()
    await running


async def test_a_worker_works_even_when_nothing_could_be_taken_back(db, monkeypatch):
    clock, done = SystemClock(), asyncio.Event()
    monkeypatch.setattr("replyline.work.worker.take_back", lambda conn, now: 1 / 0)
    now = clock.now()
    await db.run(arm, kind="turn", key="ana", due=now, now=now)

    async def do(job):
        await db.run(finish, job, now=clock.now())
        done.set()

    worker = Worker(db, clock, [Pool(kinds={"turn": do}, at_once=5)])
    running = asyncio.ensure_future(worker.run())
    async with asyncio.timeout(5):
        await done.wait()
    await worker.stop()
    await running
