"""What the page is told as it happens, as Server-Sent Events: the greeting, then each phone whenever it has changed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.costs import budgets
from replyline.costs.allowance import LINE, allowance
from replyline.db import CHANGE, Db
from replyline.plugins.line import Line
from replyline.simulator.handsets import Handsets
from replyline.simulator.trail import opt_out_of, phones_of, trail
from replyline.simulator.trail_records import Exchange, OptOut

EXCHANGES = 30  # of each phone
REMEMBERED = 3  # phones that come back after the server was started again
PAUSE = 0.1  # seconds between two looks, however much happens
HEARTBEAT = 15.0  # seconds of quiet after which a comment shows that the line is open
RETRY = "retry: 700\n\n"  # milliseconds until the browser connects again


class PhoneStream:
    """Follows the phones for one page after another."""

    def __init__(
        self,
        *,
        db: Db,
        line: Line,
        handsets: Handsets,
        stopping: asyncio.Event,
        clock: Clock,
        greeting: Mapping[str, Any],
    ) -> None:
        self._db, self._line, self._handsets = db, line, handsets
        self._stopping, self._clock, self._greeting = stopping, clock, greeting
        self._has_remembered = False

    async def follow(self) -> AsyncIterator[str]:
        """The events for one page, until it goes away or the server stops."""
        await self._remember()
        yield RETRY + event("line", self._greeting)
        told: dict[str, str] = {}
        with self._woken() as woken:
            while not self._stopping.is_set():
                woken.clear()
                for about, said in (await self._news()).items():
                    if told.get(about) != said:
                        told[about] = said
                        yield said
                await asyncio.sleep(PAUSE)
                if not await self._wait(woken):
                    yield ": still here\n\n"

    async def _news(self) -> dict[str, str]:
        """What there is to show now, by what it is about: each phone, and the day's budget."""
        numbers = self._handsets.numbers
        found, today = await self._db.run(look, self._line, numbers, self._clock.now())
        news = {number: event("phone", self._phone(number, *found[number])) for number in numbers}
        return news | ({"budget": event("budget", today)} if today else {})

    def _phone(self, number: str, exchanges: list[Exchange], opt_out: OptOut | None) -> dict[str, Any]:
        return {
            "number": number,
            "screen": [asdict(each) for each in self._handsets.screen(number, exchanges)],
            "exchanges": [asdict(self._handsets.with_wire(each)) for each in exchanges],
            "optedOut": asdict(opt_out) if opt_out else None,
        }

    async def _remember(self) -> None:
        """Put the phones back on the desk that texted before the server was started again."""
        if not self._has_remembered:
            self._has_remembered = True
            for number in await self._db.run(phones_of, self._line.key, REMEMBERED):
                self._handsets.add(number)

    @contextlib.contextmanager
    def _woken(self) -> Any:
        """An event that is set whenever something may have changed: in the rows, at Twilio, or the server stops."""
        woken, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)  # a commit wakes us on a database thread

        stop_listening = self._db.listen(CHANGE, wake)
        stop_watching = self._handsets.on_change(woken.set)
        watching = asyncio.ensure_future(self._wake_when_stopping(woken))
        try:
            yield woken
        finally:
            stop_listening()
            stop_watching()
            watching.cancel()

    async def _wake_when_stopping(self, woken: asyncio.Event) -> None:
        await self._stopping.wait()
        woken.set()

    async def _wait(self, woken: asyncio.Event) -> bool:
        """Wait for a change; false when nothing happened for a while."""
        try:
            async with asyncio.timeout(HEARTBEAT):
                await woken.wait()
        except TimeoutError:
            return False
        return True


Shown = dict[str, tuple[list[Exchange], OptOut | None]]


def look(conn: Connection, line: Line, numbers: list[str], now: datetime) -> tuple[Shown, dict[str, int] | None]:
    """All phones, and the day's budget, in one transaction."""
    shown = {
        number: (trail(conn, line.key, number, EXCHANGES), opt_out_of(conn, line.key, number)) for number in numbers
    }
    return shown, budget_of_today(conn, line, now)


def budget_of_today(conn: Connection, line: Line, now: datetime) -> dict[str, int] | None:
    """What the line's budget of the day has used, and its limit, in micro-dollars; none when it has no such budget."""
    daily = [each for each in line.budgets if (each.of, each.per) == (LINE, "day")]
    found = budgets.look(conn, [allowance(each, line.key, LINE, line.timezone, now) for each in daily[:1]])
    return {"used": found[0].used, "limit": found[0].limit} if found else None


def event(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
