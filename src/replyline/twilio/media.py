"""Fetching what was attached to a text: with our credentials to Twilio alone, and never from inside our network."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from socket import socket

import aiohttp
from aiohttp.connector import AddrInfoType
from yarl import URL

from replyline.errors import ReplylineError
from replyline.twilio.outside import NotOutside, outside_socket

LARGEST = 16 * 1024 * 1024  # bytes; Twilio takes 5 MB for MMS and 16 MB for RCS
MOST_REDIRECTS = 3
CHUNK = 64 * 1024
REDIRECTS = {301, 302, 303, 307, 308}
# Credentials that are just being changed, a link that has run out, too many requests: none of that is so for ever.
FOR_NOW = {401, 403, 429}


class MediaAway(ReplylineError):
    """Twilio cannot give it now."""

    try_again = True


class MediaRefused(ReplylineError):
    """It will not be fetched: not there, too large, or somewhere we do not go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one process is ready to spend on pictures."""

    largest: int = LARGEST
    seconds: float = 30.0  # for one picture with its redirects, however slowly it comes
    at_once: int = 20


def is_https(url: URL) -> bool:
    """Whether this is what storage on the Internet is reached by: TLS, on its usual port."""
    return url.scheme == "https" and url.port == 443


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """Where a redirect may lead that leaves Twilio's API."""

    may_lead_to: Callable[[URL], bool] = is_https
    connect: Callable[[AddrInfoType], socket] = outside_socket  # or raises `NotOutside`


class MediaFetcher:
    """Fetches media of one account. Make it inside a running event loop, and close it."""

    def __init__(
        self,
        *,
        username: str,
        password: str,
        api_url: str,
        limits: Limits | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._authorization = {"Authorization": aiohttp.encode_basic_auth(username, password)}
        self._api = URL(api_url).origin()
        self._limits = limits or Limits()
        self._elsewhere = elsewhere or Elsewhere()
        self._places = asyncio.Semaphore(self._limits.at_once)
        self._to_api: aiohttp.ClientSession | None = None
        self._to_others: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes at a media URL of Twilio's, as they come. Raises `MediaAway` or `MediaRefused`, also halfway."""
        start = self._at_api(url)
        async with self._places:
            try:
                async with asyncio.timeout(self._limits.seconds), contextlib.AsyncExitStack() as opened:
                    answer = await self._follow(start, opened)
                    yield await opened.enter_async_context(contextlib.aclosing(self._chunks(answer)))
            except TimeoutError as error:
                raise MediaAway("A picture took too long to come.") from error

    async def delete(self, url: str) -> None:
        """Have Twilio delete a media; fine when it is gone already. Raises `MediaAway`, or `MediaRefused`."""
        media = self._at_api(url)
        try:
            async with self._session(media).delete(
                media.with_path(f"{media.path}.json"), headers=self._authorization, allow_redirects=False
            ) as answer:
                if answer.status not in (200, 204, 404):
                    raise MediaAway(f"Twilio answered {answer.status} to the deletion of a picture.")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise MediaAway(f"Twilio could not be told to delete a picture: {type(error).__name__}.") from error

    def _at_api(self, url: str) -> URL:
        """The URL, if it is one that may see our credentials."""
        try:
            parsed = URL(url)
            is_api = parsed.origin() == self._api and not parsed.user and not parsed.password
        except ValueError:
            is_api = False
        if not is_api:
            raise MediaRefused("The address of a picture is not at Twilio's API; it was not fetched.")
        return parsed

    async def _follow(self, url: URL, opened: contextlib.AsyncExitStack) -> aiohttp.ClientResponse:
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._ask(url, opened)
            if answer.status in REDIRECTS:
                url = redirected(url, answer)
                answer.close()
                continue
            if answer.status in FOR_NOW or answer.status >= 500:
                raise MediaAway(f"Twilio answered {answer.status} for a picture.")
            if answer.status != 200:
                raise MediaRefused(f"Twilio answered {answer.status} for a picture.")
            return answer
        raise MediaRefused("A picture redirects too often.")

    async def _ask(self, url: URL, opened: contextlib.AsyncExitStack) -> aiohttp.ClientResponse:
        is_api = url.origin() == self._api
        if not is_api and not self._elsewhere.may_lead_to(url):
            raise MediaRefused("A picture redirects to an address that is not https on its usual port.")
        # The credentials go to Twilio's API only: the storage it redirects to must not see them.
        headers = self._authorization if is_api else {}
        try:
            return await opened.enter_async_context(self._session(url).get(url, headers=headers, allow_redirects=False))
        except (aiohttp.InvalidURL, UnicodeError) as error:  # a name that cannot be one
            raise MediaRefused("A picture redirects to an address that cannot be read.") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, NotOutside):
                raise MediaRefused("A picture redirects into a private network.") from error
            raise away(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise away(error) from error

    async def _chunks(self, answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise MediaRefused("A picture came compressed, which nobody asked for.")
        size = 0
        too_large = MediaRefused(f"A picture is larger than {self._limits.largest // 1024 // 1024} MB.")
        if (answer.content_length or 0) > self._limits.largest:
            raise too_large
        try:
            async for chunk in answer.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > self._limits.largest:
                    raise too_large
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise away(error) from error

    def _session(self, url: URL) -> aiohttp.ClientSession:
        """The operator says where the API is, so any address of it will do; every other is looked at."""
        if url.origin() == self._api:
            if self._to_api is None:
                self._to_api = session(aiohttp.TCPConnector(limit=self._limits.at_once))
            return self._to_api
        if self._to_others is None:
            # No connection is used twice: what a server sent beyond its answer must not begin the next one.
            connector = aiohttp.TCPConnector(force_close=True, socket_factory=self._elsewhere.connect)
            self._to_others = session(connector)
        return self._to_others

    async def close(self) -> None:
        for each in (self._to_api, self._to_others):
            if each is not None:
                await each.close()


def session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=30, connect=5),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Pictures do not shrink; and a few kilobytes could be unpacked to fill the memory.
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


def redirected(url: URL, answer: aiohttp.ClientResponse) -> URL:
    try:
        following = url.join(URL(answer.headers.get("Location", ""), encoded=True))
        is_usable = following.origin() is not None and not following.user and not following.password
    except ValueError:
        is_usable = False
    if not is_usable:
        raise MediaRefused("A picture redirects to an address that cannot be read.")
    return following


def away(error: Exception) -> MediaAway:
    return MediaAway(f"A picture could not be fetched: {type(error).__name__}.")
