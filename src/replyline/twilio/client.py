"""Twilio's REST API: the official package's resources over one pooled asynchronous connection.

The package builds requests, reads answers and follows pages; it has no timeout and no notion of "we cannot know",
so the wire and the outcomes are ours.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from replyline.errors import ReplylineError

# Longer than Twilio ever takes, much shorter than a lease: a request still open when its lease ends could be repeated.
LONGEST = 15.0
TIMEOUT = aiohttp.ClientTimeout(total=LONGEST, connect=5)
CONNECTIONS = 200
PAGE, MOST_PAGES = 100, 10  # of a list: Twilio would give up to 1,000 a page, and most looks need the newest few
REAL = "https://api.twilio.com"


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


class InDoubt(SendError):
    """We asked and never heard, or heard an error that says nothing: the text may be on its way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """What we ask Twilio to send."""

    to: str
    sender: str | None  # a number, short code or alphanumeric id
    messaging_service_sid: str | None
    body: str
    media_urls: Sequence[str]
    status_callback: str
    validity_seconds: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as Twilio has it."""

    sid: str
    status: str
    body: str
    sender: str | None  # none until a messaging service has chosen
    to: str
    created_at: datetime | None
    direction: str  # inbound, outbound-api, outbound-call or outbound-reply
    error_code: int | None
    segments: int
    messaging_service_sid: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What a list of Twilio's has since some moment, the newest first."""

    messages: list[Message]
    is_whole: bool  # false when there is more than we read


class TwilioClient:
    """One account's REST API. Make it inside a running event loop, and close it."""

    def __init__(
        self,
        *,
        account_sid: str,
        username: str,
        password: str,
        url: str = REAL,
        page: int = PAGE,
        most_pages: int = MOST_PAGES,
    ) -> None:
        self._wire = Wire(url)
        self._page, self._most_pages = page, most_pages
        self._client = Client(username, password, account_sid, http_client=self._wire)
        self._messages = self._client.api.v2010.accounts(account_sid).messages

    async def create(self, outgoing: Outgoing, *, in_time: Callable[[], bool] = lambda: True) -> Message:
        """Send a text, if `in_time` still says so when its first byte is to go out.

        Raises `TooLate`, `Refused`, `Throttled` or `InDoubt`.
        """
        LAST_LOOK.set(in_time)
        given: dict[str, Any] = {
            "to": outgoing.to,
            "from_": outgoing.sender,
            "messaging_service_sid": outgoing.messaging_service_sid,
            "body": outgoing.body or None,
            "media_url": list(outgoing.media_urls) or None,
            "status_callback": outgoing.status_callback,
            "validity_period": outgoing.validity_seconds,
        }
        try:
            made = await self._messages.create_async(
                **{name: value for name, value in given.items() if value is not None}
            )
        except TwilioRestException as error:
            code = error.code or None
            raise Refused(f"Twilio refused the text: {code or error.status}.", code=code, status=error.status) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if isinstance(
                error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
            ):  # nothing can have arrived
                raise Throttled("Twilio cannot be reached.", retry_after=None) from error
            raise InDoubt(f"Twilio did not answer: {type(error).__name__}.") from error
        except (ValueError, KeyError, TypeError) as error:  # 201, and a body that is not what Twilio writes
            raise InDoubt("Twilio's answer could not be read.") from error
        return as_message(made)

    async def sent_to(self, to: str, *, since: datetime) -> Listed:
        """What this account has made for a number since then. Raises a `SendError` when Twilio is away.

        The list's own filter goes by the date a message was sent, which one that waits in Twilio's queue does not
        have yet; so we ask by number alone and go by the date it was made.
        """
        return await self._newest(since, to=to)

    async def _newest(self, since: datetime, **filters: Any) -> Listed:
        """Follow the pages, which begin with the newest, until one is older than that or there have been enough."""
        messages: list[Message] = []
        pages = 0
        async for page in self._pages(**filters):
            if pages == self._most_pages:
                return Listed(messages=messages, is_whole=False)
            young = [each for each in page if each.created_at is None or each.created_at >= since]
            if page and not young:
                break
            messages += young
            pages += 1
        return Listed(messages=messages, is_whole=True)

    async def _pages(self, **filters: Any) -> AsyncIterator[list[Message]]:
        try:
            page = await self._messages.page_async(page_size=self._page, **filters)
            while page is not None:
                yield [as_message(found) for found in page]
                page = await page.next_page_async()
        except (TwilioException, TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            # Not reached, a no, or an answer that is not Twilio's, such as a proxy's page.
            raise InDoubt(f"Twilio's list could not be read: {type(error).__name__}.") from error

    async def close(self) -> None:
        await self._wire.close()


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
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

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
                url.replace(REAL, self._url, 1),
                params={k: str(v) for k, v in (params or {}).items()} or None,
                data=form,
                headers=(headers or {}) | ({"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}),
                allow_redirects=allow_redirects,
            )
        except aiohttp.ClientConnectionError:
            if form is not None and form.is_late:
                raise TooLate("The request could not leave in time, so nothing was sent.") from None
            raise

    async def _exchange(self, method: str, url: str, **given: Any) -> Response:
        session = self._session or self._open()
        async with session.request(method, url, **given) as response:
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
        return float(headers.get("Retry-After", ""))
    except ValueError:
        return None


def as_message(made: Any) -> Message:
    return Message(
        sid=made.sid,
        status=str(getattr(made.status, "value", made.status)),
        body=made.body or "",
        sender=made.from_,
        to=made.to,
        created_at=made.date_created.astimezone(UTC) if made.date_created else None,
        direction=str(getattr(made.direction, "value", made.direction)),
        error_code=made.error_code,
        segments=int(made.num_segments or 0),
        messaging_service_sid=made.messaging_service_sid,
    )
