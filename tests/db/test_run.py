"""One plain function, one transaction."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from replyline.db import DatabaseClosed, Db, open_db
from replyline.db.sqlite import file_of
from replyline.errors import ReplylineError

PHONE = "+12025550123"


def add(conn: Connection, name: str, phone: str = PHONE) -> str:
    conn.execute(
        text("INSERT INTO contacts (id, line, phone, created_at) VALUES (:id, :id, :phone, 0)"),
        {"id": name, "phone": phone},
    )
    return name


def add_and_fail(conn: Connection, name: str) -> None:
    add(conn, name)
    raise LookupError(name)


def names(conn: Connection) -> list[str]:
    return list(conn.execute(text("SELECT id FROM contacts ORDER BY id")).scalars())


@pytest.fixture
def held_up(db: Db) -> Callable[[], threading.Event]:
    """Keeps every database thread busy, so that what is asked next has to wait; gives what lets them go."""

    def hold_up() -> threading.Event:
        let_go = threading.Event()
        waiting.extend(asyncio.ensure_future(db.run(lambda conn: let_go.wait(10))) for _ in db._threads)
        return let_go

    waiting: list[asyncio.Future[bool]] = []
    return hold_up


async def test_a_function_gets_its_arguments_and_gives_its_result(db):
    assert await db.run(add, "ana", phone="+1") == "ana"
    assert await db.run(names) == ["ana"]


async def test_a_function_that_fails_changes_nothing_and_its_error_reaches_the_one_who_asked(db):
    with pytest.raises(LookupError, match="ana"):
        await db.run(add_and_fail, "ana")
    assert await db.run(names) == []


async def test_one_that_fails_harms_no_other_in_the_same_commit(db, held_up):
    let_go = held_up()
    asked = [asyncio.ensure_future(db.run(add_and_fail if n == 3 else add, f"c{n}")) for n in range(6)]
    await asyncio.sleep(0)
    let_go.set()
    results = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(results.pop(3), LookupError)
    assert results == ["c0", "c1", "c2", "c4", "c5"]
    assert await db.run(names) == ["c0", "c1", "c2", "c4", "c5"]


async def test_nothing_is_seen_by_others_before_the_commit(db, database_url):
    written, look = threading.Event(), threading.Event()

    def add_slowly(conn: Connection) -> None:
        add(conn, "ana")
        written.set()
        look.wait(10)

    asked = asyncio.ensure_future(db.run(add_slowly))
    await asyncio.to_thread(written.wait, 10)
    assert await asyncio.to_thread(seen_from_outside, database_url) == 0
    look.set()
    await asked
    assert await asyncio.to_thread(seen_from_outside, database_url) == 1


def seen_from_outside(url: str) -> int:
    if url.startswith("sqlite"):
        other = sqlite3.connect(file_of(url))
    else:
        import psycopg

        other = psycopg.connect(url)
    try:
        (count,) = other.execute("SELECT count(*) FROM contacts").fetchone()
        return count
    finally:
        other.close()


async def test_an_error_of_the_database_says_nothing_about_whom_it_is_about(db):
    await db.run(add, "ana")
    with pytest.raises(IntegrityError) as caught:
        await db.run(add, "ana")
    for error in (caught.value, caught.value.orig):
        assert PHONE not in str(error)
        assert "ana" not in str(error)


async def test_what_was_asked_is_done_though_whoever_asked_was_canceled(db, held_up):
    let_go = held_up()
    asked = asyncio.ensure_future(db.run(add, "ana"))
    await asyncio.sleep(0)
    asked.cancel()
    let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await db.close()
    assert await asyncio.to_thread(seen_from_outside, db.url) == 1


async def test_a_stop_iteration_reaches_the_one_who_asked_as_an_error(db):
    with pytest.raises(RuntimeError, match="StopIteration"):
        await db.run(lambda conn: next(iter(())))


async def test_even_a_call_for_exit_does_not_end_a_database_thread(db):
    def leave(conn: Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await asyncio.to_thread(db.run_blocking, leave)
    assert await db.run(names) == []


async def test_closing_finishes_what_waits(db, held_up):
    let_go = held_up()
    asked = [asyncio.ensure_future(db.run(add, f"c{n}")) for n in range(20)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(db.close())
    await asyncio.sleep(0.05)
    let_go.set()
    await closing
    assert sorted(await asyncio.gather(*asked)) == sorted(f"c{n}" for n in range(20))


async def test_a_closed_database_refuses(db):
    await db.close()
    with pytest.raises(DatabaseClosed):
        await db.run(names)
    with pytest.raises(DatabaseClosed):
        await db.gather(lambda conn, items: items, 1)
    with pytest.raises(DatabaseClosed):
        db.run_blocking(names)
    await db.close()


async def test_two_event_loops_may_share_a_database(db):
    await db.run(add, "ana")
    assert await asyncio.to_thread(lambda: asyncio.run(db.run(names))) == ["ana"]


def test_commands_ask_without_an_event_loop(database_url):
    db = open_db(database_url)
    db.run_blocking(add, "ana")
    assert db.run_blocking(names) == ["ana"]
    db.close_blocking()


def test_a_url_of_another_engine_is_refused_by_name():
    with pytest.raises(ReplylineError, match="mysql"):
        open_db("mysql://localhost/x")


def test_the_short_name_that_many_hosts_give_postgresql_is_understood():
    db = open_db("postgres://nobody@/nothing?host=/nonexistent")
    assert db.engine_name == "postgresql"
    db.close_blocking()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ReplylineError, match=r"no folder .*nowhere"):
        open_db(f"sqlite:///{tmp_path}/nowhere/replyline.db")
