"""What goes on by itself at Twilio: messages on their way, callbacks, scheduled messages that rest."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from replyline.clock import Clock

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Background:
    """Tasks that are known, so that a test can wait for them and nothing outlives the simulator."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._resting: dict[asyncio.Task[Any], tuple[datetime, asyncio.Event | None]] = {}
        self._failures: list[BaseException] = []

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def rest_until(self, at: datetime, *, unless: asyncio.Event | None = None) -> None:
        """Sleep in a way that `settle` does not wait for, unless something happens before."""
        task = asyncio.current_task()
        assert task is not None
        self._resting[task] = (at, unless)
        try:
            await self._sleep((at - self._clock.now()).total_seconds(), unless)
        finally:
            del self._resting[task]

    async def _sleep(self, seconds: float, unless: asyncio.Event | None) -> None:
        if unless is None:
            await self._clock.sleep(seconds)
            return
        ways = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(unless.wait())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    async def settle(self, timeout: float) -> None:
        """Wait until nothing goes on but what rests. Raises `TimeoutError`, and what a task raised."""
        async with asyncio.timeout(timeout):
            while busy := self._busy():
                # Short waits: a task may begin to rest instead of ending.
                await asyncio.wait(busy, timeout=0.02, return_when=asyncio.FIRST_COMPLETED)
        if self._failures:
            raise self._failures.pop()

    def _busy(self) -> set[asyncio.Task[Any]]:
        now = self._clock.now()
        return {task for task in self._tasks if not is_asleep(self._resting.get(task), now)}

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("simulator_failed", exc_info=error)
            self._failures.append(error)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def is_asleep(rest: tuple[datetime, asyncio.Event | None] | None, now: datetime) -> bool:
    if rest is None:
        return False
    until, unless = rest
    return until > now and not (unless is not None and unless.is_set())
