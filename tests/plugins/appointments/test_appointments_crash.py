"""A process that dies in the middle: the change and the memory of it come together or not at all."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from replyline.plugins.appointments import diary
from replyline.plugins.appointments.tables import appointments, calls, cells


class PowerCut(Exception):
    """The process dies before COMMIT."""


def counts(conn):
    return [conn.scalar(select(func.count()).select_from(table)) for table in (appointments, cells, calls)]


def dies_after(change):
    def fn(conn, *args):
        change(conn, *args)
        raise PowerCut

    return fn


async def test_a_booking_that_did_not_commit_was_never_made(gym):
    plugin = gym.line.plugins[0]
    ctx, service = gym.context("ana", "k"), plugin.timetable.services["yoga"]
    starts = utc("2026-11-24T18:00:00-08:00")
    with pytest.raises(PowerCut):
        await gym.db.run(dies_after(diary.book), ctx, plugin.timetable, service, starts, "")
    assert await gym.db.run(counts) == [0, 0, 0]
    assert "id A1" in await gym.book("ana", "2026-11-24T18:00:00", once="k")


async def test_a_move_that_did_not_commit_left_everything_where_it_was(gym):
    await gym.book("ana", "2026-11-24T18:00:00")
    plugin = gym.line.plugins[0]
    with pytest.raises(PowerCut):
        await gym.db.run(
            dies_after(diary.move), gym.context("ana"), plugin.timetable, "A1", utc("2026-11-24T19:00:00-08:00")
        )
    assert await gym.times_of("ana") == ["2026-11-24T18:00:00-08:00"]
    assert await gym.db.run(counts) == [1, 12, 1]


def utc(text):
    return datetime.fromisoformat(text).astimezone(UTC)
