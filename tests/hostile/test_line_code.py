"""A line's own code may do anything: exit, hang, block, cancel itself, return nonsense. The turn ends, the server lives."""

import asyncio
import contextlib
import json
import sys
import threading
import time

import pytest

from replyline.db.tables import steps, work
from replyline.plugins.calling import TooManyThreads, places
from replyline.plugins.context import ActionContext, Contact
from replyline.plugins.line import Line
from tests.support.cast import ANA
from tests.support.databases import only_on_sqlite
from tests.support.road import FixedModel, Road, calls, says

LATE = 0.2  # seconds that an action has here


class Untellable:
    def __str__(self):
        raise RuntimeError("no words")


class Loop(dict):
    def __init__(self):
        super().__init__(me=self)


async def raises(kind):
    raise kind


async def cancels_itself():
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


async def waits_for_what_was_cancelled():
    task = asyncio.ensure_future(asyncio.sleep(9))
    task.cancel()
    await task


async def never_returns():
    await asyncio.Event().wait()


async def will_not_be_cancelled():
    for _ in range(60):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)


def returning(value):
    async def work():
        return value

    return work


ASYNC = {
    "exits": lambda: raises(SystemExit(1)),
    "interrupts": lambda: raises(KeyboardInterrupt()),
    "generator exit": lambda: raises(GeneratorExit()),
    "stop iteration": lambda: raises(StopIteration()),
    "cancelled": lambda: raises(asyncio.CancelledError()),
    "a group": lambda: raises(BaseExceptionGroup("g", [SystemExit(1)])),
    "cancels itself": cancels_itself,
    "waits for what was cancelled": waits_for_what_was_cancelled,
    "never returns": never_returns,
    "will not be cancelled": will_not_be_cancelled,
    "huge": returning("x" * 5_000_000),
    "surrogates": returning("a\ud800b\x00c"),
    "a number": returning(10**4000),
    "bytes": returning(b"\xff" * 100),
    "no words for it": returning(Untellable()),
    "goes round": returning(Loop()),
    "not a number": returning(float("nan")),
    "deep": returning(json.loads("[" * 500 + "]" * 500)),
    "a generator": returning(n for n in range(3)),
}
PLAIN = {
    "exits": lambda: sys.exit(1),
    "blocks": lambda: time.sleep(3),
    "stop iteration": lambda: next(iter(())),
    "surrogates": lambda: "a\ud800b\x00c",
    "a coroutine": lambda: Untellable(),
}


def a_line(**given):
    return Line(name="Gym", instructions="You book.", holding_after=None, **given)


def a_road(db, clock, tmp_path, line):
    return Road(db, clock, line, FixedModel([calls(("odd", {})), says("I could not.")]), tmp_path)


async def ends_well(road):
    await road.text("Do it.")
    await asyncio.wait_for(road.work(), 10)
    assert road.replies() == ["I could not."]
    assert road.outcomes() == [("done", "answered")]
    assert not road.rows(work)[1:], "only the text is left to be sent"
    [step] = [row for row in road.rows(steps) if row.kind == "action"]
    assert step.state == "ended"
    assert len(step.output) < 21_000
    assert step.output.encode().decode() == step.output.replace("\x00", "")
    return step


@only_on_sqlite
@pytest.mark.parametrize("how", ASYNC)
async def test_an_action_cannot_keep_the_person_without_an_answer(db, clock, tmp_path, how):
    line = a_line()

    @line.action(time_limit=LATE)
    async def odd():
        """Does something odd."""
        return await ASYNC[how]()

    await ends_well(a_road(db, clock, tmp_path, line))


@only_on_sqlite
@pytest.mark.parametrize("how", PLAIN)
async def test_a_plain_action_cannot_either(db, clock, tmp_path, how):
    line = a_line()

    @line.action(time_limit=LATE)
    def odd():
        """Does something odd."""
        return PLAIN[how]()

    await ends_well(a_road(db, clock, tmp_path, line))


def a_context(db, clock, line):
    contact = Contact(id="con_1", phone=ANA)
    return ActionContext(contact=contact, line=line, clock=clock, db=db, turn="trn_1", conversation="cnv_1", once="1")


async def test_what_an_action_returns_is_kept_without_what_no_database_takes(db, clock, tmp_path):
    line = a_line()

    @line.action
    async def odd():
        """Gives half an emoji, and NUL."""
        return "a\ud800b\x00c \ud83d" + "\ude00"

    step = await ends_well(a_road(db, clock, tmp_path, line))
    assert step.output == "a\ufffdbc 😀"


@only_on_sqlite
async def test_an_action_that_hangs_takes_no_place_from_others(db, clock, tmp_path):
    line, release = a_line(), threading.Event()

    @line.action(time_limit=LATE)
    def odd():
        """Hangs."""
        release.wait(20)

    @line.action
    def fine():
        """Works."""
        return "Done."

    context = a_context(db, clock, line)
    try:
        hanging = [asyncio.ensure_future(line.actions["odd"].call(context, "{}")) for _ in range(50)]
        await asyncio.gather(*hanging, return_exceptions=True)
        assert await line.actions["fine"].call(context, "{}") == "Done."
    finally:
        release.set()


@only_on_sqlite
async def test_the_threads_of_actions_that_hang_are_not_without_end(db, clock):
    line, taken = a_line(), 0

    @line.action
    def odd():
        """Does nothing."""

    while places.acquire(blocking=False):
        taken += 1
    try:
        with pytest.raises(TooManyThreads):
            await line.actions["odd"].call(a_context(db, clock, line), "{}")
    finally:
        places.release(taken)


@only_on_sqlite
@pytest.mark.parametrize("how", ["exits", "cancelled", "will not be cancelled"])
async def test_a_context_function_cannot_end_the_process_or_the_turn(db, clock, tmp_path, how):
    line = a_line(deadline=3)

    @line.context
    async def odd(request):
        return await ASYNC[how]() or {}

    road = Road(db, clock, line, FixedModel([says("Hi.")]), tmp_path)
    await road.text("Do it.")
    working = asyncio.ensure_future(road.work())
    for _ in range(40):
        await asyncio.sleep(0.05)
        clock.advance(seconds=0.5)
    await asyncio.wait_for(working, 10)
    await road.work()
    assert road.replies() in (["Hi."], [line.fallback_text])
    assert len(road.outcomes()) == 1
