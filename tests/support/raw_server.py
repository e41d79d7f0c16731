"""A server on this machine that sends exactly the bytes it is told to, as no well-behaved one would."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Answers by path; the first request line and the headers of each request are kept."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: int = 0  # bytes of the bodies that were written, and taken by the other side or its buffers
    open: int = 0  # requests being answered
    handlers: set[asyncio.Task[None]] = field(default_factory=set)
    most_open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = asyncio.current_task()
        assert here is not None
        self.handlers.add(here)
        here.add_done_callback(self.handlers.discard)
        try:
            await self._answer(reader, writer)
        finally:
            writer.transport.abort() if here.cancelling() else writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            try:
                answer = self.answers.get(head.split()[1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
            finally:
                self.open -= 1

    async def pour(self, writer: asyncio.StreamWriter, count: int, piece: bytes = b"x" * 65536) -> None:
        """Write a body, piece by piece, for as long as somebody takes it."""
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


@contextlib.asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    server = RawServer(url="")
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for handler in server.handlers:
            handler.cancel()
        await asyncio.gather(*server.handlers, return_exceptions=True)


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A 200 with a body. `length` is what it says of itself, true or not."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def to(location: str) -> bytes:
    """A redirect."""
    return f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
