"""What time it is, and waiting. Handed to whoever needs it, so that tests hold the hands."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """The time, always aware and in UTC."""

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))


def steady() -> float:
    """Seconds that only ever pass, whatever is done to the machine's clock; where it can be told, also while it sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Stopwatch:
    """How long ago something was, by whichever clock says the most: any of them may have stood still with its machine."""

    def __init__(self, began: datetime) -> None:
        self._began, self._steady, self._wall = began, steady(), time.time()

    def elapsed(self, clock: Clock) -> timedelta:
        by_machine = max(steady() - self._steady, time.time() - self._wall)
        return max(clock.now() - self._began, timedelta(seconds=by_machine))


class FakeClock:
    """A clock that stands still until it is moved. For tests of a line, and for the simulator.

    clock = FakeClock("2026-03-01 03:00 America/Chicago")
    clock.advance(minutes=5)
    """

    def __init__(self, at: str | datetime = "2026-03-02 18:00 UTC") -> None:
        self._now = as_utc(at)
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def set(self, at: str | datetime) -> None:
        """Put the clock to an aware time, or to "2026-03-01 03:00 America/Chicago". Whoever slept until then wakes."""
        self._now = as_utc(at)
        for due, waking in self._sleepers:
            if due <= self._now and not waking.done():
                waking.set_result(None)

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the clock on, by time that passes: a day is 24 hours, whatever the local clocks do."""
        self.set(self._now + timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days))

    async def sleep(self, seconds: float) -> None:
        """Until the clock has been moved that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking = asyncio.get_running_loop().create_future()
        sleeper = (self._now + timedelta(seconds=seconds), waking)
        self._sleepers.append(sleeper)
        try:
            await waking
        finally:
            self._sleepers.remove(sleeper)


def as_utc(at: str | datetime) -> datetime:
    """An aware time in UTC. A text names its time zone last; without one it is UTC. Raises `ValueError`."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError("A clock needs a time that knows its time zone.")
        return at.astimezone(UTC)
    day, time, zone = [*at.split(), "UTC"][:3]
    return datetime.fromisoformat(f"{day} {time}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
