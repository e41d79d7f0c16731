"""Requests at a pace, whether the ones before are answered or not: Twilio does not wait for one text to send the next."""

import asyncio
import gc
import time
from dataclasses import dataclass
from typing import cast

from bench.load import END, GOOD, BadAnswer

PATIENCE = 60.0  # seconds for the answers that are missing when all is sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Paced:
    """What a run at a pace was like. A request waits from when it was due, not from when we came to send it."""

    began_at: float  # perf_counter of the first request
    seconds: float  # until the last was answered
    took: list[float]  # seconds, sorted
    connections: int

    def ms(self, percent: float) -> float:
        return 1000 * self.took[min(int(len(self.took) * percent / 100), len(self.took) - 1)]


class Run:
    """The connections of a run: those that are free, and how long each request took."""

    def __init__(self, how_many: int) -> None:
        self.free: list[Connection] = []
        self.made: list[Connection] = []
        self.took: list[float] = []
        self.how_many = how_many
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, seconds: float) -> None:
        self.took.append(seconds)
        if len(self.took) == self.how_many and not self.ended.done():
            self.ended.set_result(None)

    def fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(BadAnswer(why))


class Connection(asyncio.Protocol):
    """One keep-alive connection: free, or waiting for one answer."""

    def __init__(self, run: Run) -> None:
        self._run, self._got = run, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name
        self._run.made.append(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._got.startswith(GOOD):
            self._run.fail(f"An answer was not 200: {self._got[:300]!r}")
        elif self._got.endswith(END):
            self._got = b""
            self._run.free.append(self)
            self._run.answered(time.perf_counter() - self._due)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._run.free:  # the server closes one that brings no request within ten seconds
            self._run.free.remove(self)
        elif len(self._run.took) < self._run.how_many:
            self._run.fail(f"The server closed a connection: {error}")

    def close(self) -> None:
        self._transport.close()


async def put_paced(port: int, requests: list[bytes], *, per_second: float) -> Paced:
    """Send the requests evenly, over as many connections as that takes. Raises `BadAnswer` at one answered badly."""
    loop = asyncio.get_running_loop()
    run = Run(len(requests))
    for _ in range(100):
        run.free.append(await connected(port, run))
    gc.collect()
    gc.disable()
    opening: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    try:
        for n, request in enumerate(requests):
            due = began + n / per_second
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            if run.ended.done():
                break
            if run.free:
                run.free.pop().send(request, due)
            else:
                task = loop.create_task(send_over_new(port, run, request, due))
                opening.add(task)
                task.add_done_callback(opening.discard)
        await asyncio.wait_for(run.ended, PATIENCE)
    finally:
        gc.enable()
    seconds = time.perf_counter() - began
    for connection in run.made:
        connection.close()
    return Paced(began_at=began, seconds=seconds, took=sorted(run.took), connections=len(run.made))


async def connected(port: int, run: Run) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(run), "127.0.0.1", port)
    return connection


async def send_over_new(port: int, run: Run, request: bytes, due: float) -> None:
    try:
        (await connected(port, run)).send(request, due)
    except OSError as error:
        run.fail(f"The server took no connection: {error}")
