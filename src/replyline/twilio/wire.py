"""The wire to Twilio's REST API: one connection pool, a deadline, and what an answer, or none, means."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from math import inf
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from replyline.errors import ReplylineError

# Longer than Twilio ever takes, much shorter than a lease: a request still open when its lease ends could be repeated.
LONGEST = 15.0
TIMEOUT = aiohttp.ClientTimeout(total=LONGEST, connect=5)
CONNECTIONS = 200
CUT_OFF_AFTER = 2  # requests in a row that nothing came back of
REAL = "https://api.twilio.com"
# Messaging services, consent and prices have hosts of their own. The simulator, and any double, is one address for all.
MESSAGING, ACCOUNTS = "https://messaging.twilio.com", "https://accounts.twilio.com"
PRICING = "https://pricing.twilio.com"


class SendError(ReplylineError):
    """A text was not sent, or we do not know whether it was."""


class Refused(SendError):
    """Twilio said no to this text; the same text will not be taken."""

    def __init__(self, reason: str, *, code: int | None, status: int) -> None:
        super().__init__(reason)
        self.code, self.status = code, status


class Throttled(SendError):
    """Twilio asked us to slow down; it did nothing with this text."""

    try_again = True

    def __init__(self, reason: str, *, retry_after: float | None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class TooLate(SendError):
    """The request was ready to leave only when it might no longer; nothing has left."""


class Unreachable(Throttled):
    """There was no connection, so nothing can have arrived."""


class InDoubt(SendError):
    """We asked and never heard, or heard an error that says nothing: the text may be on its way."""


# What the package's own calls have no place for. Each text leaves in a task of its own, which is what this belongs to.
LAST_LOOK: ContextVar[Callable[[], bool]] = ContextVar("last_look", default=lambda: True)


class Form(aiohttp.BytesPayload):
    """A form that is looked at once more when its connection is there: the headers leave together with its first byte."""

    def __init__(self, fields: list[tuple[str, str]], in_time: Callable[[], bool]) -> None:
        super().__init__(urlencode(fields).encode(), content_type="application/x-www-form-urlencoded")
        self._in_time = in_time
        self.is_late = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self.is_late = not self._in_time()
        if self.is_late:
            raise TooLate("The request could not leave in time.")
        await super().write_with_length(writer, content_length)


class Wire(AsyncHttpClient):  # type: ignore[misc]  # the package is not typed
    """The package's transport: one connection pool, a deadline, and the address that the settings name."""

    def __init__(self, url: str) -> None:
        super().__init__(logging.getLogger("twilio.quiet"), True, None)
        self.url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._unanswered = 0

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        form = Form(form_fields(data), LAST_LOOK.get()) if data else None
        try:
            return await self._exchange(
                method,
                self.address_of(url),
                params={k: str(v) for k, v in (params or {}).items()} or None,
                data=form,
                headers=(headers or {}) | ({"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}),
                allow_redirects=allow_redirects,
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if form is not None and form.is_late and isinstance(error, aiohttp.ClientConnectionError):
                raise TooLate("The request could not leave in time, so nothing was sent.") from None
            self._unanswered += 1
            raise

    @property
    def is_cut_off(self) -> bool:
        """Whether nothing has come back of late; a single lost connection is everyday."""
        return self._unanswered >= CUT_OFF_AFTER

    def address_of(self, url: str) -> str:
        """Where the settings have us ask what the package would ask of the real Twilio."""
        if self.url == REAL:
            return url
        for host in (REAL, MESSAGING, ACCOUNTS, PRICING):
            url = url.replace(host, self.url, 1)
        return url

    async def _exchange(self, method: str, url: str, **given: Any) -> Response:
        session = self._session or self._open()
        async with session.request(method, url, **given) as response:
            self._unanswered = 0
            if response.status == 429:
                raise Throttled("Twilio asked us to slow down (429).", retry_after=seconds_of(response.headers))
            if response.status >= 500 or response.status == 408:
                raise InDoubt(f"Twilio answered {response.status}, which does not say whether the text was taken.")
            return Response(response.status, await response.text(), response.headers)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=30, socket_factory=short_lived_socket)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT)
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # let the transports go


def short_lived_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket whose request dies with it: the kernel must not go on delivering one that we have given up.

    Otherwise a text that could not get through for half a minute could arrive after it was taken for lost and sent again.
    """
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # should we stand still ourselves, and not get to closing it
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * LONGEST))
    return made


def form_fields(data: dict[str, object]) -> list[tuple[str, str]]:
    """A list becomes the same field several times, as Twilio reads MediaUrl."""
    return [
        (name, str(item)) for name, value in data.items() for item in (value if isinstance(value, list) else [value])
    ]


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """Retry-After, which Twilio does not promise."""
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < inf else None
