"""The server's connections: a stranger can neither take for ever over a request nor fill the memory with its head."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's, which by itself waits without end for the rest of a request, and keeps whatever a head brings."""

    HEAD_WITHIN = 10.0  # seconds for the request line and headers; Twilio itself gives up after 15
    WITHIN = 60.0  # seconds for all of a request
    LARGEST_HEAD = 128 * 1024  # bytes, about; a GET webhook has all its fields in there
    LOOK_EVERY = 2.0  # seconds; one timer for each connection costs less than one for each request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since: float | None = self.loop.time()  # when the request that is coming in began; none: it is all here
        self._head: int | None = 0  # bytes of its head so far; none: the head is all here
        self._begun = 0  # requests on this connection
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        begun = self._begun
        super().data_received(data)
        if self._head is None or self._begun > begun:  # the piece in which a request begins is not counted
            return
        self._head += len(data)
        if self._head > self.LARGEST_HEAD and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]  # none at first
                self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._since, self._head, self._begun = self.loop.time(), 0, self._begun + 1

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head = None

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._since = None

    def _look_later(self) -> None:
        self._looking: Any = self.loop.call_later(self.LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Let go of whoever takes too long."""
        patience = self.WITHIN if self._head is None else self.HEAD_WITHIN
        if self._since is not None and self.loop.time() - self._since > patience:
            self.transport.abort()
        else:
            self._look_later()
