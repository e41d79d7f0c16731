"""How much a process takes on at once: as much as its event loop keeps up with, so that webhooks are answered meanwhile.

A turn waits for its model most of the time, so a thousand at once are fine until their answers come at once: then each
webhook would wait behind all of them. The lateness of the loop is the measure, and the way of TCP is the answer: more
while it is on time, less when it is late.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

BEAT = 0.01  # seconds between two looks at the clock
LATE = 0.05  # seconds; a webhook that waits this long for its turn is one of many in a row
FEWEST, FIRST = 8, 64
LESS, AGAIN = 0.75, 1.0  # what is left of the room when the loop is late, and seconds until it may shrink again
FADES = 0.8  # of the lateness, at each beat that is on time


class Pulse:
    """How late the event loop does what is due, in seconds. A peak fades within a tenth of a second or two."""

    late = 0.0

    @contextmanager
    def beating(self) -> Iterator[None]:
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + BEAT
        self._next = self._loop.call_at(self._due, self._beat)
        try:
            yield
        finally:
            self._next.cancel()

    def _beat(self) -> None:
        now = self._loop.time()
        self.late = max(now - self._due, self.late * FADES)
        self._due = now + BEAT
        self._next = self._loop.call_at(self._due, self._beat)


class Room:
    """How many may run at once, at most `most`."""

    def __init__(self, most: int, pulse: Pulse) -> None:
        self._most, self._pulse = most, pulse
        self._allowed = float(min(FIRST, most))
        self._fits = float(most)  # what it had come to when the loop was late last: from there on it grows slowly
        self._shrunk_at = -AGAIN

    def free(self, running: int, now: float) -> int:
        """How many more may begin. `now` is the loop's time in seconds."""
        if self._pulse.late > LATE and now - self._shrunk_at >= AGAIN:
            self._shrunk_at = now
            self._fits = self._allowed = max(min(self._allowed, running) * LESS, min(FEWEST, self._most))
        if self._pulse.late > LATE:
            return 0 if running else 1
        return max(int(self._allowed) - running, 0)

    def ended(self) -> None:
        """One has ended, and left its place."""
        if self._pulse.late <= LATE:
            self._allowed = min(self._allowed + (1 if self._allowed < self._fits else 12 / self._allowed), self._most)
