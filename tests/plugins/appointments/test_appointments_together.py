"""Many at once: several processes' worth of databases, one calendar. A place is never given away twice."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from replyline.db import open_db
from replyline.plugins.appointments import Service
from replyline.plugins.appointments.tables import appointments, cells
from replyline.plugins.endings import AskAgain

FIVE = [Service(name="yoga", minutes=60, capacity=5)]


@pytest.fixture
async def databases(calendar_url, calendar_db):
    """Four Db objects on one database, as four processes would have."""
    more = [open_db(calendar_url) for _ in range(3)]
    yield [calendar_db, *more]
    for db in more:
        await db.close()


async def gather(calls):
    """What each call gave: its answer, or the ending it raised."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_fifty_people_get_the_five_places(make_gym, databases):
    gym = make_gym(services=FIVE)
    ends = await gather(gym.book(f"person{n}", "2026-11-24T18:00:00", db=databases[n % 4]) for n in range(50))
    booked = [end for end in ends if isinstance(end, str)]
    assert len(booked) == 5
    assert all(isinstance(end, AskAgain) and "yoga is full" in str(end) for end in ends if not isinstance(end, str))
    assert await gym.db.run(lambda conn: conn.scalar(select(func.count()).select_from(appointments))) == 5
    assert await gym.db.run(lambda conn: conn.scalar(select(func.count()).select_from(cells))) == 5 * 12


async def test_fifty_overlapping_visits_fill_every_hour_and_no_more(make_gym, databases):
    gym = make_gym(services=FIVE)
    times = [f"2026-11-24T{17 + n % 3}:{15 * (n % 4):02}:00" for n in range(50)]
    ends = await gather(gym.book(f"person{n}", at, db=databases[n % 4]) for n, at in enumerate(times))
    assert all(isinstance(end, str | AskAgain) for end in ends)
    taken = await gym.db.run(lambda conn: conn.execute(select(cells.c.cell, func.count()).group_by(cells.c.cell)).all())
    assert max(count for _, count in taken) == 5


async def test_one_person_booking_twice_at_once_holds_one(make_gym, databases):
    gym = make_gym(services=FIVE)
    ends = await gather(gym.book("ana", "2026-11-24T18:00:00", db=db) for db in databases)
    assert sorted(type(end).__name__ for end in ends) == ["AskAgain", "AskAgain", "AskAgain", "str"]


async def test_one_person_booking_several_at_once_gets_as_many_ids(make_gym, databases):
    gym = make_gym(services=FIVE)
    ends = await gather(gym.book("ana", f"2026-11-24T{10 + n}:00:00", db=databases[n % 4]) for n in range(8))
    assert {end.rpartition(" ")[2] for end in ends} == {f"A{n}." for n in range(1, 9)}


async def test_the_same_call_made_at_once_has_one_effect_and_one_answer(make_gym, databases):
    gym = make_gym(services=FIVE)
    ends = await gather(gym.book("ana", "2026-11-24T18:00:00", once="the-call", db=databases[n % 4]) for n in range(12))
    assert len(set(ends)) == 1
    assert await gym.times_of("ana") == ["2026-11-24T18:00:00-08:00"]


async def test_a_place_that_is_swapped_is_never_lost_or_shared(make_gym, databases):
    """Ana and Bruno want each other's only seat: each stays or moves whole, whoever comes first."""
    gym = make_gym(services=[Service(name="haircut", minutes=30)])
    await gym.book("ana", "2026-11-24T10:00:00", "haircut")
    await gym.book("bruno", "2026-11-24T11:00:00", "haircut")
    ends = await gather(
        [
            gym.move("ana", "A1", "2026-11-24T11:00:00", db=databases[0]),
            gym.move("bruno", "A1", "2026-11-24T10:00:00", db=databases[1]),
        ]
    )
    assert all(isinstance(end, str | AskAgain) for end in ends)
    assert sorted(await gym.times_of("ana") + await gym.times_of("bruno")) == [
        "2026-11-24T10:00:00-08:00",
        "2026-11-24T11:00:00-08:00",
    ]


async def test_many_people_moving_at_once_leave_no_seat_behind(make_gym, databases):
    gym = make_gym(services=FIVE)
    for n in range(10):
        await gym.book(f"person{n}", f"2026-11-24T{9 + n % 2:02}:00:00")
    ends = await gather(
        gym.move(f"person{n}", "A1", f"2026-11-24T{9 + (n + 1 + n // 2) % 4:02}:30:00", db=databases[n % 4])
        for n in range(10)
    )
    assert all(isinstance(end, str | AskAgain) for end in ends)
    await assert_cells_are_the_appointments(gym.db, capacity=5)


async def test_a_move_and_a_cancellation_at_once_end_in_one_of_the_two_ways(make_gym, databases):
    gym = make_gym(services=FIVE)
    await gym.book("ana", "2026-11-24T18:00:00")
    await gather(
        [
            gym.move("ana", "A1", "2026-11-24T19:00:00", db=databases[0]),
            gym.cancel("ana", "A1", db=databases[1]),
        ]
    )
    assert await gym.times_of("ana") == []
    await assert_cells_are_the_appointments(gym.db, capacity=5)


async def assert_cells_are_the_appointments(db, *, capacity, line="gym"):
    """Every booked appointment holds one seat in each of its cells; nobody else holds any; no cell is over-full."""
    is_booked = (appointments.c.state == "booked") & (appointments.c.line == line)
    booked = await db.run(lambda conn: conn.execute(select(appointments).where(is_booked)).all())
    rows = await db.run(lambda conn: conn.execute(select(cells).where(cells.c.line == line)).all())
    expected = {
        (each.id, each.starts_at + timedelta(minutes=5) * n)
        for each in booked
        for n in range((each.ends_at - each.starts_at) // timedelta(minutes=5))
    }
    assert Counter((row.appointment_id, row.cell) for row in rows) == Counter(expected)
    assert all(count <= capacity for count in Counter((row.resource, row.cell) for row in rows).values())


@pytest.mark.parametrize("changed", [{"contact_id": "con_bruno"}, {"seat": 2}])
async def test_the_database_itself_refuses_a_taken_seat_and_a_second_of_a_kind(gym, changed):
    """Nothing our code looked at before matters: whoever inserts second is refused."""
    await gym.book("ana", "2026-11-24T18:00:00")

    def again(conn):
        row = dict(conn.execute(select(cells)).mappings().first())
        conn.execute(insert(cells), row | changed)

    with pytest.raises(IntegrityError):
        await gym.db.run(again)
