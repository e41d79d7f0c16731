"""Many items, one function, one transaction."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text

from replyline.db import Db
from replyline.db.database import YIELDS
from replyline.db.units import TOLD_AT_ONCE


def add_all(conn: Connection, names: Sequence[str]) -> list[str]:
    if "bad" in names:
        raise LookupError("bad")
    conn.execute(
        text("INSERT INTO contacts (id, line, phone, created_at) VALUES (:id, :id, '+1', 0)"),
        [{"id": name} for name in names],
    )
    return [name.upper() for name in names]


def stored(conn: Connection) -> set[str]:
    return set(conn.execute(text("SELECT id FROM contacts")).scalars())


async def test_each_gets_the_answer_to_its_own_item(db):
    answers = await asyncio.gather(*(db.gather(add_all, f"c{n}") for n in range(1200)))
    assert answers == [f"C{n}" for n in range(1200)]
    assert len(await db.run(stored)) == 1200


async def test_what_waits_for_the_same_function_is_done_in_one_transaction(db):
    sizes = []

    def note(conn: Connection, items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        return items

    await asyncio.gather(*(db.gather(note, n) for n in range(300)))
    assert sum(sizes) == 300
    assert len(sizes) < 30


async def test_one_bad_item_harms_no_other(db):
    names = ["ana", "bad", "bruno"]
    answers = await asyncio.gather(*(db.gather(add_all, name) for name in names), return_exceptions=True)
    assert answers[0] == "ANA"
    assert answers[2] == "BRUNO"
    assert isinstance(answers[1], LookupError)
    assert await db.run(stored) == {"ana", "bruno"}


async def test_only_one_round_of_a_function_runs_at_a_time(db):
    running, most = 0, 0
    lock = threading.Lock()

    def watch(conn: Connection, items: Sequence[int]) -> Sequence[int]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        conn.execute(text("SELECT 1")).scalar()
        threading.Event().wait(0.002)
        with lock:
            running -= 1
        return items

    async def ask(n: int) -> None:
        for item in range(10):
            assert await db.gather(watch, n * 100 + item) == n * 100 + item

    await asyncio.gather(*(ask(n) for n in range(20)))
    assert most == 1


async def test_a_function_that_answers_too_few_is_told_so(db):
    with pytest.raises(AssertionError, match="gave 0 answers to 1 items"):
        await db.gather(lambda conn, items: [], 1)


async def test_functions_made_on_the_spot_are_forgotten(db: Db):
    for n in range(50):
        assert await db.gather(lambda conn, items: list(items), n) == n
    await db.run(stored)
    await asyncio.sleep(0.05)
    assert len(db._gathering) <= 1


async def test_items_of_canceled_callers_are_done_and_disturb_nobody(db):
    first, second, third = (asyncio.ensure_future(db.gather(add_all, name)) for name in ("ana", "bruno", "cleo"))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == "ANA"
    assert await third == "CLEO"
    await db.close()


@pytest.mark.parametrize("seconds", [0.1, 2 * YIELDS], ids=["quick", "slow"])
async def test_what_is_urgent_goes_before_all_that_waits_however_long_the_work_before_it_took(db, seconds):
    order = []
    let_go = threading.Event()
    held = [asyncio.ensure_future(db.run(lambda conn: let_go.wait(10))) for _ in db._threads]
    await asyncio.sleep(seconds)  # every thread has one
    waiting = [asyncio.ensure_future(db.run(lambda conn, n=n: order.append(n))) for n in range(8)]
    urgent = asyncio.ensure_future(db.gather(lambda conn, items: [order.append("text")], 1, urgent=True))
    await asyncio.sleep(0)
    let_go.set()
    await asyncio.gather(*held, *waiting, urgent)
    assert "text" in order[: len(db._threads)]


async def test_what_is_urgent_lets_something_else_go_first_now_and_then(db):
    """However many webhooks come, replies leave. The next set of webhooks always waits when one has been stored."""
    is_over, stored = threading.Event(), 0

    def store(conn: Connection, items: Sequence[int]) -> Sequence[int]:
        nonlocal stored
        stored += len(items)
        time.sleep(0.01)
        return items

    async def flood() -> None:
        while not is_over.is_set():
            await db.gather(store, 1, urgent=True)

    floods = [asyncio.ensure_future(flood()) for _ in range(20)]
    await asyncio.sleep(0.1)
    others = 0
    while others < 3 or stored <= 100:  # a slow machine stores fewer meanwhile
        async with asyncio.timeout(5):
            assert await db.run(lambda conn: 1) == 1
        others += 1
    is_over.set()
    await asyncio.gather(*floods)
    assert stored > 100


async def test_while_something_urgent_is_done_one_thread_alone_does_other_things(db):
    let_go, begun = threading.Event(), []

    def wait(conn: Connection, name: str) -> None:
        begun.append(name)
        let_go.wait(10)

    working = [
        asyncio.ensure_future(db.gather(lambda conn, items: [wait(conn, "text") for _ in items], 1, urgent=True))
    ]
    await asyncio.sleep(0.1)
    working += [asyncio.ensure_future(db.run(wait, f"turn {n}")) for n in range(8)]
    await asyncio.sleep(0.1)
    while_urgent = list(begun)
    let_go.set()
    await asyncio.gather(*working)
    assert while_urgent == (["text", "turn 0"] if len(db._threads) > 1 else ["text"])
    assert len(begun) == 9


async def test_the_loop_gets_to_its_connections_between_the_results_of_a_set(db):
    passes = 0
    told_in = []

    def echo(conn: Connection, items: Sequence[int]) -> Sequence[int]:
        return items

    async def ask(n: int) -> None:
        await db.gather(echo, n)
        told_in.append(passes)

    asking = asyncio.gather(*(ask(n) for n in range(60)))
    while not asking.done():
        await asyncio.sleep(0)
        passes += 1
    await asking
    assert max(told_in.count(each) for each in told_in) <= 2 * TOLD_AT_ONCE
