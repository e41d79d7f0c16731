"""Twilio calls our server: a signed form, retried as the URL's fragment says."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from replyline.simulator.mishaps import WebhookFault
from replyline.simulator.overrides import Overrides, read_overrides
from replyline.twilio.signature import sign

HTTP_FAILED, NETWORK_FAILED, NO_SUCH_HOST, TOO_MANY_REDIRECTS, TLS_FAILED, BAD_URL = (
    11200, 11205, 11210, 11215, 11220, 11100,
)  # fmt: skip
CONNECTIONS = 500
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What our server answered, or why there is nothing to read."""

    url: str
    status: int = 0  # 0 without an answer
    content_type: str = ""
    body: bytes = b""
    error_code: int | None = None
    failure: str = ""  # 4xx, 5xx, ct or rt


class Webhooks:
    """Sends signed requests. `auth_token` is asked each time: Twilio signs with the token that is primary now."""

    def __init__(self, *, auth_token: Callable[[], str], new_token: Callable[[], str]) -> None:
        self._auth_token, self._new_token = auth_token, new_token
        self._session: aiohttp.ClientSession | None = None

    async def call(self, url: str, method: str, fields: Mapping[str, str], fault: WebhookFault) -> Answer:
        """Call a webhook as often as the fault says, with the retries its URL asks for. Gives the last answer."""
        calls = [self._call_with_retries(url, method, fields) for _ in range(fault.copies)]
        if fault.at_once:
            return (await asyncio.gather(*calls))[-1]
        answer = Answer(url=url)
        for call in calls:
            answer = await call
        return answer

    async def _call_with_retries(self, url: str, method: str, fields: Mapping[str, str]) -> Answer:
        target, overrides = read_overrides(url)
        token = self._new_token()  # the same on each attempt, so that the server can tell a retry
        answer = Answer(url=target, error_code=HTTP_FAILED, failure="rt")
        try:
            async with asyncio.timeout(overrides.total):
                for _ in range(1 + overrides.retries):
                    answer = await self._attempt(target, method, fields, token, overrides)
                    if not overrides.allows(answer.failure):
                        break
        except TimeoutError:
            pass  # the last attempt's answer stands
        return answer

    async def _attempt(
        self, target: str, method: str, fields: Mapping[str, str], token: str, overrides: Overrides
    ) -> Answer:
        if method == "GET":
            target += ("&" if "?" in target else "?") + urlencode(fields)
        form = list(fields.items()) if method == "POST" else []
        headers = {
            "X-Twilio-Signature": sign(self._auth_token(), target, form),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1",
        } | ({"Content-Type": FORM} if form else {})
        try:
            return await self._request(target, method, urlencode(form).encode(), headers, overrides)
        except (ValueError, aiohttp.InvalidURL):
            return Answer(url=target, error_code=BAD_URL)
        except aiohttp.TooManyRedirects:
            return Answer(url=target, error_code=TOO_MANY_REDIRECTS)
        except aiohttp.ClientConnectorDNSError:
            return Answer(url=target, error_code=NO_SUCH_HOST, failure="ct")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
            return Answer(url=target, error_code=TLS_FAILED, failure="ct")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Answer(url=target, error_code=NETWORK_FAILED, failure="ct")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Answer(url=target, error_code=HTTP_FAILED, failure="rt")

    async def _request(
        self, target: str, method: str, body: bytes, headers: dict[str, str], overrides: Overrides
    ) -> Answer:
        session = self._session or self._open()
        bare, credentials = without_credentials(target)
        async with session.request(
            method,
            URL(bare, encoded=True),  # as it was signed: nothing is encoded again
            data=body or None,
            headers=headers,
            auth=credentials,
            timeout=aiohttp.ClientTimeout(sock_connect=overrides.connect, sock_read=overrides.read),
        ) as response:
            content = await response.read()
        failure = f"{response.status // 100}xx" if response.status >= 400 else ""
        return Answer(
            url=bare,
            status=response.status,
            content_type=response.headers.get("Content-Type", ""),
            body=content,
            error_code=HTTP_FAILED if failure else None,
            failure=failure,
        )

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def without_credentials(url: str) -> tuple[str, aiohttp.BasicAuth | None]:
    """The URL as it is requested, and the user and password that stood in it."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)), aiohttp.BasicAuth(parts.username, parts.password or "")
