"""A line on your desk: the real server, a simulated Twilio and phones, in one process. Demo, dev and tests run on it."""

import asyncio
import contextlib
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from replyline.app import CONNECTION_GRACE, FALLBACK, SMS, App, secret_of, senders_in, wire
from replyline.clock import Clock, SystemClock
from replyline.db.migrate import Migrations, migrate
from replyline.errors import ReplylineError
from replyline.inbound.connection import PatientProtocol
from replyline.llm.ask import Model
from replyline.plugins.line import Line
from replyline.settings import Settings, read_settings
from replyline.simulator import DeliveryTimes, SimulatedPhone, SimulatedTwilio
from replyline.simulator.phone_page import phone_page_routes
from replyline.simulator.serve import DroppableProtocol, InProcessServer
from replyline.simulator.simulated_twilio import ACCOUNT_SID

OUR_NUMBER = "+14155550100"
TWILIO_AT = "/simulator/twilio"


class PortTaken(ReplylineError):
    """The server cannot listen where it was told to; choose another --host or --port."""


@dataclass(kw_only=True)
class Desk:
    """What stands on it."""

    app: App
    twilio: SimulatedTwilio
    web: Starlette
    url: str
    stopping: asyncio.Event  # ends the pages' open streams, which a server that stops would wait for
    our_number: str = OUR_NUMBER

    def phone(self, number: str = "+12125550123") -> SimulatedPhone:
        """A phone that texts with the line."""
        return self.twilio.phone(number)


def make_desk(
    line: Line,
    *,
    url: str,
    settings: Settings,
    model: Model,
    model_note: str = "",
    clock: Clock | None = None,
    delivery: DeliveryTimes | None = None,
) -> Desk:
    """Wire the server to a simulated Twilio at the same address. The database must have its tables."""
    clock = clock or SystemClock()
    token = settings.auth_tokens[0]
    twilio = SimulatedTwilio(auth_token=token, clock=clock, url=f"{url}{TWILIO_AT}", delivery=delivery)
    # The fragment is what docs/guide/operations.md tells people to set: Twilio tries again before it calls the fallback.
    twilio.add_number(OUR_NUMBER, sms_url=f"{url}{SMS}#rc=3&rp=5xx,ct,rt", fallback_url=f"{url}{FALLBACK}")
    app = wire(settings, line, model=model, clock=clock)
    stopping = asyncio.Event()
    pages = phone_page_routes(
        twilio=twilio,
        db=app.db,
        line=line,
        our_number=OUR_NUMBER,
        clock=clock,
        model_note=model_note,
        senders=senders_in(settings, line),
        secret=secret_of(settings),
        stopping=stopping,
    )
    web = app.web(
        Route("/", to_the_phone),
        Mount(TWILIO_AT, app=twilio.app),
        Mount("/simulator", routes=pages),
    )
    return Desk(app=app, twilio=twilio, web=web, url=url, stopping=stopping)


def desk_settings(url: str, **given: Any) -> Settings:
    """Settings for a desk: made-up credentials, everything at one loopback address; the model's come from outside."""
    return read_settings(
        twilio_account_sid=ACCOUNT_SID,
        twilio_auth_token=secrets.token_hex(16),
        twilio_api_key_sid=None,
        twilio_api_key_secret=None,
        twilio_phone_number=OUR_NUMBER,
        twilio_messaging_service_sid=None,
        twilio_api_url=f"{url}{TWILIO_AT}",
        public_url=url,
        media_url=None,  # trying something out must not reach a real bucket
        alerts=None,  # nor wake anybody
        **given,
    )


@contextlib.asynccontextmanager
async def open_desk(
    line: Line, *, model: Model, clock: Clock | None = None, database_url: str | None = None
) -> AsyncIterator[Desk]:
    """A desk with its server running, for tests and scripts; everything it made is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="replyline-desk-") as folder, bound_socket() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        database_url = database_url or f"sqlite:///{folder}/desk.db"
        settings = desk_settings(url, database_url=database_url, media_dir=Path(folder) / "media")
        await asyncio.to_thread(migrate, settings.database_url, extra=migrations_of(line))
        desk = make_desk(line, url=url, settings=settings, model=model, clock=clock)
        server = InProcessServer(server_config(desk.web, http=DroppableProtocol))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.01)
            yield desk
        finally:
            desk.stopping.set()
            server.stop.set()
            await serving
            await desk.twilio.close()


def migrations_of(line: Line) -> list[Migrations]:
    """The tables that the line's plugins bring."""
    return [Migrations(name=p.name, folder=p.migrations) for p in line.plugins if p.migrations is not None]


def server_config(web: Starlette, *, http: type[asyncio.Protocol] = PatientProtocol) -> uvicorn.Config:
    """How the server is run everywhere: no access log (addresses and paths hold people), connections ended in good time."""
    return uvicorn.Config(
        web,
        http=http,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CONNECTION_GRACE,
        timeout_keep_alive=30,
    )


@contextlib.contextmanager
def bound_socket(host: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, proto)
    except OSError as error:
        raise PortTaken(f"{host} is not an address of this machine: {error.strerror}.") from None
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            raise PortTaken(f"Port {port} on {host} cannot be used: {error.strerror}.") from None
        yield listening


async def to_the_phone(request: Request) -> Response:
    return RedirectResponse("/simulator/")
