"""The database's clock rules: on PostgreSQL every process goes by it, whatever its machine's clock says."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import structlog
from sqlalchemy import text

from replyline.clock import FakeClock, SystemClock
from replyline.db.clock import NOTABLE, Bounds, DatabaseClock, clock_of, following, now_of
from tests.support.clocks import SkewedClock
from tests.support.databases import only_on_postgres, only_on_sqlite

START = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


class Steady:
    """A steady clock whose hands the test holds."""

    def __init__(self):
        self.seconds = 5_000.0

    def __call__(self):
        return self.seconds


class Kept:
    """A database clock, what the database's would say, and the steady clock between them."""

    def __init__(self):
        self.steady = Steady()
        self.clock = DatabaseClock(FakeClock(START), steadily=self.steady)
        self.ahead = 0.0  # of what the database has said at first

    @property
    def database(self):
        return START + timedelta(seconds=self.steady.seconds - 5_000 + self.ahead)

    def look(self, round_trip=0.0):
        offset = self.database.timestamp() - self.steady.seconds
        self.clock.follow(Bounds(low=offset - round_trip / 2, high=offset + round_trip / 2))

    def off(self):
        return round((self.clock.now() - self.database).total_seconds(), 3)


@pytest.fixture
def kept():
    kept = Kept()
    kept.look()
    return kept


def test_between_two_looks_it_goes_on_by_itself(kept):
    kept.steady.seconds += 3_600
    assert kept.off() == 0


def test_it_leaps_when_it_has_fallen_behind(kept):
    kept.ahead = 40
    kept.look()
    assert kept.off() == 0


def test_it_never_goes_back_but_slowly_until_the_database_has_caught_up(kept):
    before = kept.clock.now()
    kept.ahead = -60
    kept.look()
    assert kept.clock.now() == before
    shown = []
    for _ in range(13):
        kept.steady.seconds += 10
        kept.look()
        shown.append(kept.clock.now())
    assert [(b - a).total_seconds() for a, b in pairwise(shown)][:10] == [5.0] * 10
    assert kept.off() == 0


def test_a_slow_round_trip_moves_it_no_further_than_there_is_reason_to(kept):
    kept.ahead = 0.2
    kept.look(round_trip=4.0)
    assert kept.off() == -0.2
    kept.look(round_trip=0.1)
    assert kept.off() == -0.05


def test_a_leap_of_the_database_is_told(kept):
    with structlog.testing.capture_logs() as logs:
        kept.ahead = NOTABLE / 2
        kept.look()
        kept.ahead = -60
        kept.look()
    assert [(entry["event"], entry["by"]) for entry in logs] == [("clock_moved", -60.5)]


@only_on_sqlite
async def test_on_sqlite_everyone_reads_the_clock_of_the_machine(db):
    assert isinstance(clock_of(db), SystemClock)
    assert abs((now_of(db) - datetime.now(UTC)).total_seconds()) < 1


@only_on_postgres
@pytest.mark.parametrize("seconds", [-60, 60])
async def test_on_postgresql_a_machine_that_is_a_minute_off_tells_the_time_of_the_database(db, seconds):
    clock = DatabaseClock(SkewedClock(seconds))
    with structlog.testing.capture_logs() as logs:
        async with following(clock, db):
            before = clock.now()
            told = await db.run(
                lambda conn: conn.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar()
            )
            after = clock.now()
    slack = timedelta(seconds=0.1)
    assert before - slack <= datetime.fromtimestamp(float(told), UTC) <= after + slack
    assert [(entry["event"], round(entry["ahead"])) for entry in logs] == [("machine_clock_differs", seconds)]


@only_on_postgres
async def test_a_command_goes_by_the_time_of_the_database(db):
    assert isinstance(clock_of(db), DatabaseClock)
    (now,) = await asyncio.gather(asyncio.to_thread(now_of, db))
    assert abs((now - datetime.now(UTC)).total_seconds()) < 1
