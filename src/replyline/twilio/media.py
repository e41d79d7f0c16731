"""Fetching what was attached to a text: with our credentials to Twilio alone, and never from inside our network."""

import asyncio
import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

import aiohttp

from replyline.errors import ReplylineError

LARGEST = 16 * 1024 * 1024  # bytes; Twilio takes 5 MB for MMS and 16 MB for RCS
MOST_REDIRECTS = 3
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)


class MediaAway(ReplylineError):
    """Twilio cannot give it now."""

    try_again = True


class MediaRefused(ReplylineError):
    """It will not be fetched: not there, too large, or somewhere we do not go."""


class MediaFetcher:
    """Fetches media of one account. Make it inside a running event loop, and close it."""

    def __init__(self, *, username: str, password: str, api_url: str) -> None:
        self._authorization = {"Authorization": aiohttp.encode_basic_auth(username, password)}
        self._api = urlsplit(api_url)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> bytes:
        """The bytes at a media URL of Twilio's. Raises `MediaAway` or `MediaRefused`."""
        if urlsplit(url).netloc != self._api.netloc:
            raise MediaRefused("The address of a picture is not at Twilio's API; it was not fetched.")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        try:
            return await self._follow(url)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise MediaAway(f"A picture could not be fetched: {type(error).__name__}.") from error

    async def _follow(self, url: str) -> bytes:
        assert self._session is not None
        for _ in range(MOST_REDIRECTS + 1):
            is_api = urlsplit(url).netloc == self._api.netloc
            if not is_api:
                await self._refuse_inside(url)
            # The credentials go to Twilio's API only: the storage it redirects to must not see them.
            headers = self._authorization if is_api else {}
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, answer.headers.get("Location", ""))
                    continue
                if answer.status == 429 or answer.status >= 500:
                    raise MediaAway(f"Twilio answered {answer.status} for a picture.")
                if answer.status != 200:
                    raise MediaRefused(f"Twilio answered {answer.status} for a picture.")
                return await read_limited(answer)
        raise MediaRefused("A picture redirects too often.")

    async def _refuse_inside(self, url: str) -> None:
        """A redirect must not make us read our own network. The simulator's own address is the one exception."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(self._api.hostname):
            raise MediaRefused("A picture redirects to an address without TLS.")
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        if not all(ipaddress.ip_address(each[4][0]).is_global for each in found):
            raise MediaRefused("A picture redirects into a private network.")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def read_limited(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) > LARGEST:
            raise MediaRefused(f"A picture is larger than {LARGEST // 1024 // 1024} MB.")
    return bytes(content)


def is_loopback(host: str | None) -> bool:
    return host in {"127.0.0.1", "localhost", "::1"}
