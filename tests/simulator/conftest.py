"""A simulated Twilio on a port, the real `twilio` package talking to it, and a server of ours that it calls."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response as TwilioResponse
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import INSTANT, SimulatedTwilio, serve

OURS = "+14155550100"
TOLL_FREE = "+18335550100"
SHORT_CODE = "55512"
ANA = "+12125550123"
REAL = "https://api.twilio.com"


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One request that our server got."""

    method: str
    url: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class OurServer:
    """Writes webhooks down, and answers each path as it is told."""

    url: str = ""
    got: list[Webhook] = field(default_factory=list)
    answers: dict[str, Callable[[], Response]] = field(default_factory=dict)
    takes: dict[str, float] = field(default_factory=dict)  # seconds

    def at(self, path: str) -> list[Webhook]:
        return [webhook for webhook in self.got if webhook.url.removeprefix(self.url).startswith(path)]

    def statuses(self) -> list[str]:
        return [webhook.form["MessageStatus"] for webhook in self.at("/status")]

    async def answer(self, request: Request) -> Response:
        body = (await request.body()).decode()
        query = request.scope["query_string"].decode()
        self.got.append(
            Webhook(
                method=request.method,
                url=f"{self.url}{request.url.path}" + (f"?{query}" if query else ""),
                query=dict(parse_qsl(query, keep_blank_values=True)),
                form=dict(parse_qsl(body, keep_blank_values=True)),
                headers=dict(request.headers),
            )
        )
        await asyncio.sleep(self.takes.get(request.url.path, 0))
        answer = self.answers.get(request.url.path)
        return answer() if answer else Response("<Response/>", media_type="text/xml")


class HereHttpClient(TwilioHttpClient):
    """The package's own transport; only the host is another."""

    def __init__(self, url: str) -> None:
        super().__init__(timeout=2)
        self._url = url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> TwilioResponse:
        assert url.startswith(REAL)
        return super().request(method, self._url + url.removeprefix(REAL), *args, **kwargs)


@pytest.fixture
def ours() -> OurServer:
    return OurServer()


@pytest.fixture
async def twilio(clock: FakeClock, ours: OurServer) -> AsyncIterator[SimulatedTwilio]:
    """Both are served at one address, as the demo does it: the simulator below a path."""
    simulated = SimulatedTwilio(clock=clock, delivery=INSTANT, api_keys={"SK" + "5" * 32: "key secret"})
    ours_too = Route("/{path:path}", ours.answer, methods=["GET", "POST"])
    async with serve(Starlette(routes=[Mount("/simulator/twilio", simulated.app), ours_too])) as url:
        ours.url, simulated.url = url, f"{url}/simulator/twilio"
        simulated.add_number(OURS, sms_url=f"{url}/sms")
        yield simulated
        await simulated.close()


@pytest.fixture
def client(twilio: SimulatedTwilio) -> Iterator[Client]:
    with_token = client_of(twilio, twilio.account_sid, twilio.auth_token)
    yield with_token
    with_token.http_client.session.close()


def client_of(twilio: SimulatedTwilio, username: str, password: str) -> Client:
    return Client(username, password, twilio.account_sid, http_client=HereHttpClient(twilio.url))


async def ask(what: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the package, which blocks, while the simulator runs in this thread."""
    return await asyncio.to_thread(what, *args, **kwargs)
