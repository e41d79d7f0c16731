"""A load generator: connections that each send the next request as soon as the last one is answered."""

import asyncio
import gc
import time
from dataclasses import dataclass
from typing import cast

CONNECTIONS = 100
GOOD = b"HTTP/1.1 200"
END = b"<Response/>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a run of requests was like."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class BadAnswer(Exception):
    """The server did not answer as it should, so its speed says nothing."""


class Run:
    """One run: the requests that are left, and how long the answered ones took."""

    def __init__(self, requests: list[bytes], connections: int) -> None:
        self.left = requests
        self.took: list[float] = []
        self.open = connections
        self.ended = asyncio.get_running_loop().create_future()

    def end(self, error: BadAnswer | None = None) -> None:
        self.open -= 1
        if error is not None and not self.ended.done():
            self.ended.set_exception(error)
        elif self.open == 0 and not self.ended.done():
            self.ended.set_result(None)


class Connection(asyncio.Protocol):
    """One keep-alive connection of a run."""

    def __init__(self, run: Run) -> None:
        self._run, self._got = run, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name

    def send_next(self) -> None:
        if not self._run.left:
            self._transport.close()
            return self._run.end()
        self._sent_at = time.perf_counter()
        return self._transport.write(self._run.left.pop())

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(END):
            self._run.took.append(time.perf_counter() - self._sent_at)
            is_good, self._got = self._got.startswith(GOOD), b""
            if is_good:
                return self.send_next()
        elif self._got.startswith(GOOD):
            return None
        self._transport.abort()
        return self._run.end(BadAnswer(f"An answer was not 200 and {END.decode()}: {data[:300]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._transport.is_closing():
            self._run.end(BadAnswer(f"The server closed a connection: {error}"))


async def put_load(port: int, requests: list[bytes], connections: int = CONNECTIONS) -> Load:
    """Send all requests over this many connections. Raises `BadAnswer` at the first that is not answered well."""
    loop = asyncio.get_running_loop()
    how_many = len(requests)
    run = Run(requests, connections)
    made = [(await loop.create_connection(lambda: Connection(run), "127.0.0.1", port))[1] for _ in range(connections)]
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    try:
        for connection in made:
            connection.send_next()
        await run.ended
    finally:
        gc.enable()
    seconds = time.perf_counter() - began
    took = sorted(run.took)
    return Load(
        requests=how_many,
        seconds=seconds,
        p50_ms=1000 * took[len(took) // 2],
        p99_ms=1000 * took[len(took) * 99 // 100],
    )
