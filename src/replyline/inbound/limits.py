"""How much one request may hold, and how many unsigned ones an address may make before it is turned away without a look."""

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request


async def body_of(request: Request, largest: int) -> bytes | None:
    """The body of a request; none when it is larger, whatever its Content-Length says."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            return None
    return bytes(body)


class PerAddress:
    """A rate for each address (GCRA), remembering the most recent ones only: memory stays flat under a flood."""

    def __init__(
        self,
        *,
        per_minute: int = 30,
        burst: int = 30,
        remember: int = 10_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 60 / per_minute
        self._tolerance = self._interval * (burst - 1)
        self._remember, self._now = remember, now
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._until)

    def allows(self, address: str) -> bool:
        """Count one request of this address; false when it has had its share."""
        now = self._now()
        until = max(self._until.get(address, now), now)
        if until - now > self._tolerance:
            return False
        self._until[address] = until + self._interval
        self._until.move_to_end(address)
        if len(self._until) > self._remember:
            self._until.popitem(last=False)
        return True
