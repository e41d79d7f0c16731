"""Waking whoever listens, after the commit and only then, also in other processes."""

import asyncio
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import Connection

from replyline.db import Db, open_db, wake
from tests.support.databases import only_on_postgres


class Ear:
    """Counts how often a topic was heard."""

    def __init__(self, db: Db, topic: str = "work.turn"):
        self.count = 0
        self.end = db.listen(topic, self.hear)

    def hear(self) -> None:
        self.count += 1

    async def hears(self, times: int = 1, within: float = 5.0) -> None:
        async with asyncio.timeout(within):
            while self.count < times:
                await asyncio.sleep(0.005)


def wake_turns(conn: Connection) -> None:
    wake(conn, "work.turn")


async def settled(db: Db, ear: Ear) -> None:
    """Until the listening connection of PostgreSQL is there, which wakes everyone once."""
    if db.engine_name == "postgresql":
        await ear.hears()
        await asyncio.sleep(0.02)
        ear.count = 0


async def test_a_listener_is_woken_once_for_each_commit_that_woke_its_topic(db):
    ear, deaf = Ear(db), Ear(db, "work.send")
    await settled(db, ear)
    deaf.count = 0
    await db.run(wake_turns)
    await ear.hears()
    await asyncio.sleep(0.1)
    assert (ear.count, deaf.count) == (1, 0)


async def test_nobody_is_woken_by_what_was_undone(db):
    def wake_and_fail(conn: Connection) -> None:
        wake(conn, "work.turn")
        raise LookupError

    ear = Ear(db)
    await settled(db, ear)
    with pytest.raises(LookupError):
        await db.run(wake_and_fail)
    await db.run(lambda conn: None)
    await asyncio.sleep(0.1)
    assert ear.count == 0


async def test_whoever_is_woken_finds_the_change(db):
    found = []
    loop = asyncio.get_running_loop()

    def look() -> None:
        asyncio.run_coroutine_threadsafe(note(), loop)

    async def note() -> None:
        found.append(await db.run(lambda conn: conn.exec_driver_sql("SELECT count(*) FROM contacts").scalar()))

    def add(conn: Connection) -> None:
        conn.exec_driver_sql("INSERT INTO contacts (id, line, phone, created_at) VALUES ('a', 'gym', '+1', 0)")
        wake(conn, "work.turn")

    db.listen("work.turn", look)
    await db.run(add)
    async with asyncio.timeout(5):
        while not found or found[-1] != 1:
            await asyncio.sleep(0.005)


async def test_a_listener_that_has_ended_is_not_woken(db):
    ear = Ear(db)
    await settled(db, ear)
    ear.end()
    ear.end()
    await db.run(wake_turns)
    await asyncio.sleep(0.05)
    assert ear.count == 0


async def test_a_listener_that_fails_harms_no_other(db):
    def fail() -> None:
        raise LookupError

    await settled(db, Ear(db))
    db.listen("work.turn", fail)
    ear = Ear(db)
    await db.run(wake_turns)
    await ear.hears()
    assert await db.run(lambda conn: 1) == 1


@only_on_postgres
async def test_another_process_is_heard(db, database_url):
    ear = Ear(db)
    await settled(db, ear)
    script = (
        "import sys; from replyline.db import open_db, wake; db = open_db(sys.argv[1]);"
        "db.run_blocking(lambda conn: wake(conn, 'work.turn')); db.close_blocking()"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, database_url], check=True)
    await ear.hears()


@only_on_postgres
async def test_many_topics_of_one_commit_are_heard(db, database_url):
    def wake_all(conn: Connection) -> None:
        for n in range(600):
            wake(conn, f"topic.{n}")

    ears = [Ear(db, f"topic.{n}") for n in (0, 300, 599)]
    await settled(db, ears[0])
    other = open_db(database_url)
    await other.run(wake_all)
    for ear in ears:
        await ear.hears()
    await other.close()


@only_on_postgres
async def test_listening_goes_on_after_its_connection_was_cut_and_what_was_missed_is_made_good(db, database_url):
    ear = Ear(db)
    await settled(db, ear)
    other = open_db(database_url)
    with psycopg.connect(database_url, autocommit=True) as admin:
        cut = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'replyline-listen' AND datname = current_database()"
        )
        assert cut.fetchall() == [(True,)]
    await other.run(wake_turns)  # may be missed
    await ear.hears()  # the new connection wakes everyone
    await asyncio.sleep(0.1)
    before = ear.count
    await other.run(wake_turns)
    await ear.hears(before + 1)
    await other.close()
