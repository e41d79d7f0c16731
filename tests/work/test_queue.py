"""The work table: arming, claiming, holding, ending."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, text

from replyline.db import open_db
from replyline.db.tables import work
from replyline.work import (
    Arm,
    Claimed,
    LostLease,
    Opening,
    arm,
    arm_many,
    claim,
    finish,
    finish_many,
    hand_back,
    held,
    later,
    next_due,
    put_back,
    renew,
    take,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def table(db, clock):
    return WorkTable(db, clock)


class WorkTable:
    """The functions of the work table with what a test seldom cares about filled in."""

    def __init__(self, db, clock):
        self.db, self.clock = db, clock

    async def arm(self, key, *, after=timedelta(), **more):
        now = self.clock.now()
        await self.db.run(arm, **{"kind": "turn", "key": key, "due": now + after, "now": now} | more)

    async def claim(self, *, kinds=("turn",), limit=10, owner="one", **more):
        return await self.db.run(claim, owner=owner, kinds=kinds, limit=limit, now=self.clock.now(), **more)

    async def claim_one(self):
        (job,) = await self.claim()
        return job

    async def finish(self, job):
        await self.db.run(finish, job, now=self.clock.now())

    async def rows(self):
        return await self.db.run(lambda conn: conn.execute(select(work).order_by(work.c.key)).all())


def keys(jobs):
    return [job.key for job in jobs]


async def test_work_is_claimed_when_it_is_due_and_not_before(table, clock):
    await table.arm("ana", after=5 * SECOND)
    assert await table.claim() == []
    clock.advance(seconds=5)
    assert keys(await table.claim()) == ["ana"]


async def test_a_burst_merges_into_one_row_that_the_last_one_puts_off(table, clock):
    for _ in range(3):
        await table.arm("ana", after=SECOND)
        clock.advance(seconds=0.5)
    assert await table.claim() == []
    clock.advance(seconds=0.5)
    assert keys(await table.claim()) == ["ana"]
    assert await table.claim() == []


async def test_a_burst_cannot_put_work_off_past_its_cap(table, clock):
    for _ in range(8):
        await table.arm("ana", after=2 * SECOND, within=6 * SECOND)
        clock.advance(seconds=1)
    assert keys(await table.claim()) == ["ana"]
    (row,) = await table.rows()
    assert clock.now() - row.since == 8 * SECOND


async def test_the_first_arming_is_within_the_cap_too(table, clock):
    await table.arm("ana", after=60 * SECOND, within=6 * SECOND)
    clock.advance(seconds=6)
    assert keys(await table.claim()) == ["ana"]


async def test_a_cap_of_nothing_means_at_once(table, clock):
    await table.arm("ana")
    await table.arm("ana", after=60 * SECOND, within=timedelta())
    assert keys(await table.claim()) == ["ana"]


async def test_of_many_armed_at_once_each_has_its_row_and_the_last_of_a_key_counts(table, db, clock):
    now = clock.now()
    arms = [Arm(kind="turn", key=f"k{n % 300}", due=now + n * SECOND, now=now) for n in range(600)]
    await db.run(arm_many, arms)
    rows = await table.rows()
    assert len(rows) == 300
    assert {row.due - now for row in rows} == {n * SECOND for n in range(300, 600)}


async def test_work_armed_while_it_is_done_is_done_once_more(table, clock):
    await table.arm("ana")
    job = await table.claim_one()
    await table.arm("ana", after=SECOND)
    await table.arm("ana", after=2 * SECOND)
    assert await table.claim() == []
    await table.finish(job)
    assert await table.claim() == []
    clock.advance(seconds=2)
    again = await table.claim_one()
    assert again.attempts == 1
    await table.finish(again)
    assert await table.rows() == []


async def test_the_cap_is_counted_anew_when_work_is_done_once_more(table, clock):
    await table.arm("ana", within=6 * SECOND)
    job = await table.claim_one()
    clock.advance(seconds=20)
    await table.arm("ana", after=2 * SECOND, within=6 * SECOND)
    await table.finish(job)
    await table.arm("ana", after=3 * SECOND, within=6 * SECOND)
    assert await table.claim() == []
    clock.advance(seconds=3)
    assert keys(await table.claim()) == ["ana"]


async def test_the_most_urgent_goes_first_then_what_has_waited_longest(table, clock):
    await table.arm("campaign", priority=9)
    for n in (3, 1, 2):
        await table.arm(f"reply {n}", after=-n * SECOND, priority=1)
    await table.arm("stop", priority=0)
    await table.arm("notice", after=-60 * SECOND)
    expected = ["stop", "reply 3", "reply 2", "reply 1", "notice", "campaign"]
    assert keys(await table.claim(limit=2)) + keys(await table.claim(limit=3)) + keys(await table.claim()) == expected


async def test_a_priority_that_no_claim_looks_for_is_refused(table):
    with pytest.raises(ValueError, match="priorities"):
        await table.arm("ana", priority=3)


async def test_only_the_kinds_asked_for_are_claimed(table):
    await table.arm("ana", kind="turn")
    await table.arm("ana", kind="send")
    await table.arm("ana", kind="fold")
    jobs = await table.claim(kinds=["send", "fold"])
    assert [job.kind for job in jobs] == ["send", "fold"]


async def test_two_workers_never_hold_the_same_row(database_url, db, clock):
    now = clock.now()
    await db.run(arm_many, [Arm(kind="turn", key=f"k{n:03}", due=now, now=now) for n in range(500)])
    other = open_db(database_url)

    async def take_all(source, owner):
        got = []
        while jobs := await source.run(claim, owner=owner, kinds=["turn"], limit=7, now=now):
            got.extend(keys(jobs))
        return got

    both = await asyncio.gather(*(take_all(d, o) for d in (db, other) for o in ("a", "b", "c")))
    await other.close()
    claimed = [key for got in both for key in got]
    assert len(claimed) == 500
    assert len(set(claimed)) == 500


async def test_when_a_lease_has_ended_another_takes_over_and_the_old_holder_can_change_nothing(table, db, clock):
    await table.arm("ana")
    old = await table.claim_one()
    clock.advance(seconds=31)
    new = await table.claim_one()
    assert new.attempts == 2

    def write_and_finish(conn: Connection, job: Claimed) -> None:
        conn.execute(text("INSERT INTO contacts (id, line, phone, created_at) VALUES ('ana', 'gym', '+1', 0)"))
        finish(conn, job, now=clock.now())

    with pytest.raises(LostLease):
        await db.run(write_and_finish, old)
    with pytest.raises(LostLease):
        await db.run(later, old, due=clock.now())
    assert await db.run(renew, [old], now=clock.now()) == set()
    assert await db.run(held, [old, new]) == {("turn", "ana")}
    await db.run(hand_back, [old], now=clock.now())
    assert await table.claim() == []
    assert await db.run(lambda conn: conn.execute(text("SELECT count(*) FROM contacts")).scalar()) == 0

    await db.run(write_and_finish, new)
    assert await table.rows() == []


async def test_a_row_armed_anew_does_not_know_its_old_holder(table):
    await table.arm("ana")
    first = await table.claim_one()
    await table.finish(first)
    await table.arm("ana")
    with pytest.raises(LostLease):
        await table.finish(first)
    await table.claim_one()
    with pytest.raises(LostLease):
        await table.finish(first)


async def test_a_renewed_lease_is_kept(table, db, clock):
    await table.arm("ana")
    job = await table.claim_one()
    for _ in range(4):
        clock.advance(seconds=20)
        assert await db.run(renew, [job], now=clock.now()) == {job}
        assert await table.claim() == []
    await table.finish(job)


async def test_what_is_handed_back_is_claimed_at_once_and_has_not_cost_an_attempt(table, db, clock):
    await table.arm("ana")
    job = await table.claim_one()
    await db.run(hand_back, [job], now=clock.now())
    with pytest.raises(LostLease):
        await table.finish(job)
    again = await table.claim_one()
    assert again.attempts == 1


async def test_an_arming_is_not_lost_when_a_finish_comes_after_the_work_was_handed_back(table, db, clock):
    await table.arm("ana")
    job = await table.claim_one()
    await db.run(hand_back, [job], now=clock.now())
    await table.arm("ana")
    with pytest.raises(LostLease):
        await table.finish(job)
    assert keys(await table.claim()) == ["ana"]


async def test_work_put_off_keeps_count_of_its_attempts_unless_told_otherwise(table, db, clock):
    await table.arm("ana")
    await db.run(later, await table.claim_one(), due=clock.now() + SECOND)
    assert await table.claim() == []
    clock.advance(seconds=1)
    second = await table.claim_one()
    assert second.attempts == 2
    await db.run(later, second, due=clock.now(), keep_attempts=False)
    assert (await table.claim_one()).attempts == 1


async def test_work_put_off_goes_sooner_when_it_was_armed_for_sooner_meanwhile(table, db, clock):
    await table.arm("ana")
    job = await table.claim_one()
    await table.arm("ana", after=SECOND)
    await db.run(later, job, due=clock.now() + 60 * SECOND)
    clock.advance(seconds=1)
    assert keys(await table.claim()) == ["ana"]


async def test_many_are_finished_in_one_go_and_those_armed_meanwhile_wait_once_more(table, db, clock):
    for key in ("ana", "bruno", "cleo"):
        await table.arm(key)
    jobs = await table.claim()
    await table.arm("bruno")

    def end_all(conn: Connection) -> None:
        assert len(held(conn, jobs)) == 3
        finish_many(conn, jobs, now=clock.now())

    await db.run(end_all)
    assert keys(await table.claim()) == ["bruno"]


async def test_the_next_due_is_the_soonest_of_all_priorities(table, db, clock):
    assert await db.run(next_due, kinds=["turn", "send"]) is None
    await table.arm("ana", after=9 * SECOND, priority=1)
    await table.arm("bruno", after=5 * SECOND, priority=9)
    await table.arm("cleo", after=SECOND, kind="fold")
    assert await db.run(next_due, kinds=["turn", "send"]) == clock.now() + 5 * SECOND


async def test_a_claim_does_not_read_through_a_backlog(db, clock):
    now = clock.now()
    await db.run(arm_many, [Arm(kind="send", key=f"k{n}", due=now, now=now, priority=9) for n in range(3000)])
    await db.run(arm_many, [Arm(kind="send", key=f"z{n}", due=now + 9 * SECOND, now=now) for n in range(3000)])
    plan = await db.run(plan_of_claim, now)
    assert "SCAN work" not in plan
    assert "Seq Scan" not in plan
    assert "ix_work_kind_lane_priority_due" in plan


def plan_of_claim(conn: Connection, now) -> str:
    if conn.dialect.name == "postgresql":
        conn.execute(text("ANALYZE work"))
    seen = []
    from sqlalchemy import event

    def note(conn, cursor, statement, parameters, context, many):
        if "work" in statement:
            explain = "EXPLAIN " if conn.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
            seen.extend(conn.connection.dbapi_connection.execute(explain + statement, parameters).fetchall())

    event.listen(conn, "before_cursor_execute", note)
    assert len(claim(conn, owner="one", kinds=["turn", "send"], limit=10, now=now)) == 10
    event.remove(conn, "before_cursor_execute", note)
    return "\n".join(str(row) for row in seen)


class LetIn:
    """A gate that lets so many of each lane in, and none of the others before a time."""

    def __init__(self, closed_until, **rooms):
        self.closed_until, self.rooms = closed_until, rooms

    def open(self, conn, places, now):
        self.openings = {
            place: Opening(room=room)
            if (room := self.rooms.get(place.lane, 0))
            else Opening(room=0, at=self.closed_until)
            for place in places
        }
        return self

    def begin(self, conn, jobs):
        put_back(conn, [job for job in jobs if job.key.endswith("unwanted")])
        return [job for job in jobs if not job.key.endswith("unwanted")]


async def take_through(table, gate, limit=10):
    now = table.clock.now()
    return await table.db.run(take, owner="one", kinds=["turn"], limit=limit, now=now, gates={"turn": gate})


async def test_lanes_of_equal_urgency_share_a_claim(table, clock):
    for n in range(10):
        await table.arm(f"a{n}", lane="a")
    await table.arm("b", lane="b", after=-SECOND)
    await table.arm("urgent", lane="a", priority=1)
    assert set(keys(await table.claim(limit=4))) == {"urgent", "a0", "a1", "b"}


async def test_a_claim_takes_from_each_lane_no_more_than_its_gate_lets_in(table):
    for n in range(5):
        await table.arm(f"a{n}", lane="a", after=n * SECOND / 1000 - SECOND)
        await table.arm(f"b{n}", lane="b")
    taken = await take_through(table, LetIn(None, a=2))
    assert keys(taken.jobs) == ["a0", "a1"]
    assert {row.key for row in await table.rows() if row.owner} == {"a0", "a1"}


async def test_a_closed_lane_is_looked_at_again_when_it_opens(table, clock):
    await table.arm("ana", lane="a")
    opens = clock.now() + 7 * SECOND
    taken = await take_through(table, LetIn(opens))
    assert (taken.jobs, taken.count, taken.due) == ([], 0, opens)
    await table.arm("bruno", lane="b", after=3 * SECOND)
    assert (await take_through(table, LetIn(opens))).due == clock.now() + 3 * SECOND


async def test_what_a_gate_puts_back_stands_where_it_stood_and_has_not_cost_an_attempt(table, clock):
    await table.arm("first, unwanted")
    clock.advance(seconds=1)
    await table.arm("second")
    taken = await take_through(table, LetIn(None, **{"": 9}))
    assert (keys(taken.jobs), taken.count) == (["second"], 2)
    clock.advance(seconds=1)
    await table.arm("third")
    again = await table.claim()
    assert [(job.key, job.attempts) for job in again] == [("first, unwanted", 1), ("third", 1)]
