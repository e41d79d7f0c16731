"""Webhooks that come late: held for a while, or until a later one has overtaken them."""

import asyncio
from datetime import timedelta
from itertools import count

from replyline.clock import Clock
from replyline.simulator.background import Background
from replyline.simulator.mishaps import WebhookFault

AT_MOST = timedelta(seconds=30)  # when nothing comes that could overtake


class Holding:
    """Holds webhooks back. Each stream is what has an order: the callbacks of a message, the texts of a phone."""

    def __init__(self, clock: Clock, background: Background) -> None:
        self._clock, self._background = clock, background
        self._places = count()
        self._held: dict[str, dict[int, asyncio.Event]] = {}  # by stream and place

    async def hold(self, fault: WebhookFault, stream: str) -> int:
        """Return when the webhook's time has come, with its place among all. `settle` does not wait for that."""
        place = next(self._places)
        if fault.is_overtaken and not self._held.get(stream):  # else this is the one that overtakes
            await self._until_overtaken(stream, place)
        if fault.seconds > 0:
            await self._background.rest_until(self._clock.now() + timedelta(seconds=fault.seconds))
        return place

    def told(self, stream: str, place: int) -> None:
        """Our server has been called with one of this stream: those before it have been overtaken, and may come now."""
        for held, overtaken in self._held.get(stream, {}).items():
            if held < place:
                overtaken.set()

    async def _until_overtaken(self, stream: str, place: int) -> None:
        overtaken = asyncio.Event()
        held = self._held.setdefault(stream, {})
        held[place] = overtaken
        try:
            await self._background.rest_until(self._clock.now() + AT_MOST, unless=overtaken)
        finally:
            del held[place]
            if not held:
                self._held.pop(stream, None)
