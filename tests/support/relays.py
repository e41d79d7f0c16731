"""What stands between two processes: a proxy before several servers, and a wire to PostgreSQL that can be held up."""

import asyncio
from contextlib import suppress
from typing import Literal, Self

from sqlalchemy import make_url

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK = 65_536


class Relay:
    """Listens on a port and passes bytes on, both ways, to whom `connect` says."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self._serving: set[asyncio.Task[None]] = set()

    async def connect(self) -> Pair:
        raise NotImplementedError

    async def outward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        await pump(source, sink)

    async def homeward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        await pump(source, sink)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._taken, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for each in self._serving:
            each.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                answers, questions = await self.connect()
                try:
                    await first_of(self.outward(reader, questions), self.homeward(answers, writer))
                finally:
                    questions.close()
        finally:
            writer.close()


async def first_of(*coroutines: object) -> None:
    """Until one of them ends; the others are canceled."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]  # type: ignore[arg-type]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK):
        sink.write(data)
        await sink.drain()


class Front(Relay):
    """Before several servers: each connection goes to the next one that takes it, as a reverse proxy does it."""

    def __init__(self, *ports: int, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.ports = list(ports)

    async def connect(self) -> Pair:
        for _ in range(len(self.ports)):
            self.ports.append(self.ports.pop(0))
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", self.ports[-1])
        raise ConnectionRefusedError("none of the servers takes connections")


class PostgresWire(Relay):
    """A wire to the PostgreSQL of the tests. Everything on it can be held up when a certain transaction commits."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._server_url = make_url(url)
        self._word: bytes | None = None
        self._when: Literal["before", "after"] = "after"
        self._flows = asyncio.Event()
        self._flows.set()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{self._server_url.database}"

    @property
    def is_held(self) -> bool:
        return not self._flows.is_set()

    def hold(self, word: bytes, when: Literal["before", "after"]) -> None:
        """Hold up when the next transaction that says this word commits: the COMMIT itself, or what it is answered."""
        self._word, self._when = word, when

    def let_go(self) -> None:
        self._flows.set()

    async def connect(self) -> Pair:
        return await asyncio.open_unix_connection(f"{self._server_url.query['host']}/.s.PGSQL.5432")

    async def outward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        said = b""
        while data := await source.read(CHUNK):
            said += data
            is_commit = b"COMMIT" in data
            is_it = is_commit and self._word is not None and self._word in said
            if is_it and self._when == "before":
                self._hold_up()
            if not is_it or self._when == "before":
                await self._flows.wait()
            sink.write(data)
            await sink.drain()
            if is_it and self._when == "after":
                self._hold_up()
            if is_commit:
                said = b""

    async def homeward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            await self._flows.wait()
            sink.write(data)
            await sink.drain()

    def _hold_up(self) -> None:
        self._word = None
        self._flows.clear()
