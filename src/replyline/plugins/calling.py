"""Calling a business's own code so that it can neither end the process nor hold anybody up for longer than it may."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from replyline.errors import ReplylineError

R = TypeVar("R")

CLEARING_UP = 1.0  # seconds in which code that was stopped may let go of what it holds; then it is left behind
# Plain functions that may run at once. One that never returns keeps its place for ever.
places = threading.BoundedSemaphore(1_000)


class Escaped(ReplylineError):
    """The code tried to end the process, or cancelled itself."""


class TooManyThreads(ReplylineError):
    """A thousand plain functions have not returned yet."""


async def call_within(seconds: float | None, work: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """What the coroutine gives. Raises `TimeoutError`, `Escaped`, or whatever it raises."""
    working = asyncio.ensure_future(contained(work))
    try:
        await asyncio.wait({working}, timeout=seconds)
        if not working.done():
            raise TimeoutError
    finally:
        if not working.done():
            await leave(working)
    if working.cancelled():
        raise Escaped("The code cancelled itself.")
    if not isinstance(working.exception(), Exception | None):
        raise Escaped("The code raised what no code should.") from working.exception()
    return working.result()


async def contained(work: Callable[[], Coroutine[Any, Any, R]]) -> R:
    try:
        return await work()
    except (SystemExit, KeyboardInterrupt) as error:  # out of a task they would end the whole process
        raise Escaped(f"The code raised {type(error).__name__}.") from error


async def leave(working: asyncio.Future[Any]) -> None:
    """Cancel the work and see it end. What will not be cancelled is left behind, and nobody asks how it ends."""
    working.add_done_callback(look_at)
    working.cancel()
    await asyncio.wait({working}, timeout=CLEARING_UP)


def look_at(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled():
        ended.exception()  # asyncio logs what nobody has looked at


async def call(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Await a coroutine function; run a plain one in a thread of its own."""
    if inspect.iscoroutinefunction(function):
        return await function(**given)
    return await in_thread(partial(function, **given))


async def in_thread(function: Callable[[], Any]) -> Any:
    """Call a plain function in a thread that the process does not wait for when it stops. Raises `TooManyThreads`."""
    if not places.acquire(blocking=False):
        raise TooManyThreads
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    context = contextvars.copy_context()
    threading.Thread(
        target=in_its_thread, args=(function, context, future), name="replyline-action", daemon=True
    ).start()
    return await asyncio.wrap_future(future)


def in_its_thread(
    function: Callable[[], Any], context: contextvars.Context, future: concurrent.futures.Future[Any]
) -> None:
    try:
        value = context.run(function)
    except BaseException as error:
        places.release()
        future.set_exception(as_carried(error))
    else:
        places.release()
        future.set_result(value)


def as_carried(error: BaseException) -> Exception:
    """The error as a future can carry it: neither a StopIteration nor what would end the process."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    escaped = Escaped(f"The code raised {type(error).__name__}.")
    escaped.__cause__ = error
    return escaped
