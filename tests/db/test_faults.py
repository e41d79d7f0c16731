"""Deadlocks, lost connections, a busy or full disk: what is tried again, and what is said."""

import asyncio
import sqlite3
import threading
import time

import pytest
from sqlalchemy import Connection, text

from replyline.db import DatabaseDown, OutcomeUnknown, open_db, postgres
from replyline.db import sqlite as sqlite_module
from replyline.db.sqlite import file_of
from tests.support.databases import cut_connections, only_on_postgres, only_on_sqlite


def add(conn: Connection, name: str) -> None:
    conn.execute(
        text("INSERT INTO contacts (id, line, phone, created_at) VALUES (:id, :id, '+1', 0)"),
        {"id": name},
    )


def names(conn: Connection) -> list[str]:
    return list(conn.execute(text("SELECT id FROM contacts ORDER BY id")).scalars())


@only_on_postgres
async def test_a_deadlock_is_tried_again_and_both_succeed(db):
    await db.run(add, "ana")
    await db.run(add, "bruno")
    both_hold_one = threading.Barrier(2)
    calls = []

    def cross(conn: Connection, first: str, second: str) -> None:
        calls.append(first)
        touch(conn, first)
        if len(calls) <= 2:
            both_hold_one.wait(10)
        touch(conn, second)

    def touch(conn: Connection, name: str) -> None:
        conn.execute(text("UPDATE contacts SET name = coalesce(name, '') || 'x' WHERE id = :id"), {"id": name})

    await asyncio.gather(db.run(cross, "ana", "bruno"), db.run(cross, "bruno", "ana"))
    assert len(calls) == 3
    named = await db.run(lambda conn: conn.execute(text("SELECT name FROM contacts")).scalars().all())
    assert list(named) == ["xx", "xx"]


@only_on_postgres
async def test_a_cut_connection_is_replaced_and_nobody_notices(db, database_url):
    await asyncio.gather(*(db.run(add, f"c{n}") for n in range(8)))
    await asyncio.to_thread(cut_connections, database_url)
    await asyncio.gather(*(db.run(add, f"d{n}") for n in range(8)))
    assert len(await db.run(names)) == 16


@only_on_postgres
async def test_a_connection_cut_in_the_middle_of_a_transaction_has_it_done_again_once(db, database_url):
    tries = []

    def add_and_lose_the_connection(conn: Connection) -> None:
        add(conn, "ana")
        tries.append(1)
        if len(tries) == 1:
            cut_connections(database_url)
            conn.execute(text("SELECT 1"))

    await db.run(add_and_lose_the_connection)
    assert len(tries) == 2
    assert await db.run(names) == ["ana"]


@only_on_postgres
async def test_a_connection_lost_during_commit_is_an_unknown_outcome_and_nothing_is_done_twice(db, database_url):
    calls = []

    def add_all(conn: Connection, items):
        calls.append(list(items))
        for item in items:
            add(conn, item)
        cut_connections(database_url)
        return items

    answers = await asyncio.gather(*(db.gather(add_all, f"c{n}") for n in range(3)), return_exceptions=True)
    assert all(isinstance(answer, OutcomeUnknown) for answer in answers)
    assert sum(len(items) for items in calls) == 3
    assert await db.run(names) == []


@only_on_postgres
async def test_a_commit_that_is_refused_is_an_error_and_changes_nothing(db):
    def break_a_deferred_constraint(conn: Connection) -> None:
        conn.exec_driver_sql(
            "CREATE TABLE pairs (id int PRIMARY KEY, of int REFERENCES pairs DEFERRABLE INITIALLY DEFERRED)"
        )
        conn.exec_driver_sql("INSERT INTO pairs VALUES (1, 2)")

    with pytest.raises(Exception, match="foreign key"):
        await db.run(break_a_deferred_constraint)
    assert await db.run(names) == []


async def test_a_server_that_is_not_there_is_said_to_be_down_soon(monkeypatch):
    monkeypatch.setattr(postgres, "PATIENCE", 0.2)
    db = open_db("postgresql://nobody@/nothing?host=/nonexistent")
    begun = time.monotonic()
    with pytest.raises(DatabaseDown, match="PostgreSQL does not answer") as caught:
        await db.run(names)
    assert caught.value.try_again
    answers = await asyncio.gather(*(db.run(names) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(answer, DatabaseDown) for answer in answers)
    assert time.monotonic() - begun < 5
    await db.close()


@only_on_sqlite
async def test_another_process_may_hold_the_file_for_a_moment(db):
    other = sqlite3.connect(file_of(db.url), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    asked = asyncio.ensure_future(db.run(add, "ana"))
    await asyncio.sleep(0.3)
    assert not asked.done()
    other.execute("COMMIT")
    other.close()
    await asked


@only_on_sqlite
async def test_another_process_that_holds_the_file_too_long_is_an_error_for_all_who_wait(database_url, monkeypatch):
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 0.1)
    db = open_db(database_url)
    await db.run(names)
    other = sqlite3.connect(file_of(db.url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(*(db.run(add, f"c{n}") for n in range(3)), return_exceptions=True)
    assert all(isinstance(answer, DatabaseDown) for answer in answers)
    assert "locked" in str(answers[0])
    other.execute("COMMIT")
    other.close()
    await db.run(add, "ana")
    assert await db.run(names) == ["ana"]
    await db.close()


@only_on_sqlite
async def test_when_sqlite_undoes_the_whole_transaction_nobody_in_it_is_told_it_worked(db):
    """A full disk makes SQLite roll back everything, savepoints or not."""
    let_go = threading.Event()

    def fill_the_disk(conn: Connection) -> None:
        conn.exec_driver_sql("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    blocking = asyncio.ensure_future(db.run(lambda conn: let_go.wait(10)))
    await asyncio.sleep(0.05)
    asked = [asyncio.ensure_future(db.run(do, *args)) for do, *args in [(add, "ana"), (fill_the_disk,), (add, "bruno")]]
    await asyncio.sleep(0.05)
    let_go.set()
    await blocking
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, DatabaseDown) for answer in answers)
    assert "disk is full" in str(answers[0])
    assert await db.run(names) == []
    await db.run(add, "cleo")
    assert await db.run(names) == ["cleo"]


@only_on_sqlite
async def test_a_commit_that_fails_fails_everyone_in_it(db):
    let_go = threading.Event()

    def break_a_deferred_constraint(conn: Connection) -> None:
        conn.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        conn.exec_driver_sql(
            "INSERT INTO turns (id, line, conversation_id, state, created_at, deadline_at) VALUES ('t','l','none','x',0,0)"
        )

    blocking = asyncio.ensure_future(db.run(lambda conn: let_go.wait(10)))
    await asyncio.sleep(0.05)
    asked = [asyncio.ensure_future(db.run(do, *args)) for do, *args in [(add, "ana"), (break_a_deferred_constraint,)]]
    await asyncio.sleep(0.05)
    let_go.set()
    await blocking
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, DatabaseDown) for answer in answers)
    assert await db.run(names) == []


@only_on_sqlite
async def test_a_cursor_left_open_does_not_stop_later_commits(db):
    open_cursors = []

    def leave_open(conn: Connection) -> None:
        add(conn, "ana")
        open_cursors.append(conn.execute(text("UPDATE contacts SET name = 'x' RETURNING id")))

    with pytest.raises(DatabaseDown, match="statements in progress"):
        await db.run(leave_open)
    await db.run(add, "bruno")
    assert await db.run(names) == ["bruno"]
