"""The phone page: simulated phones in the browser, and beside them, live, what the server did with each text."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from replyline.clock import Clock
from replyline.conversations.picture_types import type_of
from replyline.conversations.segments import LONGEST_BODY
from replyline.db import Db
from replyline.errors import ReplylineError
from replyline.inbound.limits import body_of
from replyline.plugins.line import Line
from replyline.plugins.senders import Sender
from replyline.simulator.business import Business
from replyline.simulator.handsets import MOST_PHONES, Handsets
from replyline.simulator.json_forms import loads
from replyline.simulator.phone_stream import PhoneStream
from replyline.simulator.simulated_twilio import SimulatedTwilio

FOLDER = Path(__file__).parent / "page"
LARGEST_PICTURES = 5 * 1024 * 1024  # bytes in one text; carriers take less
LARGEST_REQUEST = 2 * LARGEST_PICTURES
MOST_PICTURES = 10
SENDABLE = {"image/jpeg", "image/png", "image/gif"}

# The conversation of the README, and Twilio's own words.
SUGGESTIONS = (
    "Can I come to yoga tomorrow at 6pm?",
    "what do I have booked?",
    "move it to 7",
    "cancel it please",
    "STOP",
    "START",
    "HELP",
)
# One person who writes a thought in three texts, and two others at the same moment.
SPLIT = ("Hi!", "can I come to spin", "tomorrow at 5:30pm?")
MEANWHILE = ("Can I come to boxing tomorrow at 7pm?", "What are your opening hours?")
BETWEEN = 0.3  # seconds from one text of the three to the next

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Pictures of a business may come from anywhere; nothing else does.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob: http: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
}


class NotLikeThis(ReplylineError):
    """The page asked for something that cannot be done, and why."""


def phone_page_routes(
    *,
    twilio: SimulatedTwilio,
    db: Db,
    line: Line,
    our_number: str,
    clock: Clock,
    model_note: str,
    senders: Sequence[Sender] = (),
    secret: bytes = b"",
    suggestions: Sequence[str] = SUGGESTIONS,
    stopping: asyncio.Event | None = None,
) -> list[BaseRoute]:
    """The page's routes, to be mounted at one place. Set `stopping` to end the open streams: a server that stops waits
    for them."""
    handsets = Handsets(twilio, clock.now())
    page = PhonePage(twilio=twilio, our_number=our_number, handsets=handsets)
    business = Business(line=line, senders=senders, db=db, clock=clock, handsets=handsets, secret=secret)
    stream = PhoneStream(
        db=db,
        line=line,
        handsets=handsets,
        stopping=stopping or asyncio.Event(),
        clock=clock,
        greeting={
            "name": line.name,
            "number": our_number,
            "note": model_note,
            "timezone": line.timezone,
            "suggestions": list(suggestions),
        },
    )

    async def events(request: Request) -> Response:
        return StreamingResponse(stream.follow(), media_type="text/event-stream", headers=HEADERS)

    async def sign_up(request: Request) -> dict[str, Any]:
        return await business.sign_up(page.number(request))

    async def offer(request: Request) -> dict[str, Any]:
        return await business.offer(page.number(request))

    async def offer_at_night(_: Request) -> dict[str, Any]:
        return await business.offer_at_night()

    return [
        Route("/", file("index.html", "text/html")),
        Route("/page.css", file("page.css", "text/css")),
        Route("/page.js", file("page.js", "text/javascript")),
        Route("/events", events),
        Route("/pictures/{sid}/{position:int}", page.picture),
        Route("/phones", told(page.add_phone), methods=["POST"]),
        Route("/phones/{number}/texts", told(page.text), methods=["POST"]),
        Route("/phones/{number}/burst", told(page.burst), methods=["POST"]),
        Route("/phones/{number}/sign-up", told(sign_up), methods=["POST"]),
        Route("/phones/{number}/offer", told(offer), methods=["POST"]),
        Route("/offer-at-night", told(offer_at_night), methods=["POST"]),
        Route("/phones/{number}/ledger", business.ledger),
        Route("/phones/{number}/export", business.export),
    ]


class PhonePage:
    """What the page's buttons do."""

    def __init__(self, *, twilio: SimulatedTwilio, our_number: str, handsets: Handsets) -> None:
        self._twilio, self._our_number, self._handsets = twilio, our_number, handsets

    async def add_phone(self, request: Request) -> dict[str, Any]:
        number = self._handsets.add_next()
        if number is None:
            raise NotLikeThis(f"There are {MOST_PHONES} phones already; that is enough for one desk.")
        return {"number": number}

    async def text(self, request: Request) -> dict[str, Any]:
        """Send what was typed, with pictures as `{"content": BASE64}`."""
        number, given = self.number(request), await read_json(request)
        body, pictures = given.get("body", ""), given.get("pictures", [])
        if not isinstance(body, str) or not isinstance(pictures, list):
            raise NotLikeThis("A text has a body and a list of pictures.")
        if len(body) > LONGEST_BODY:
            raise NotLikeThis(f"A text has at most {LONGEST_BODY} characters.")
        media = read_pictures(pictures)
        if not body.strip() and not media:
            raise NotLikeThis("Write something, or add a picture.")
        return {"sid": await self._send(number, body, media)}

    async def burst(self, request: Request) -> dict[str, Any]:
        """Five texts at once: three of one person, who writes as people do, and two of others."""
        number = self.number(request)
        others = [each for each in self._handsets.numbers if each != number]
        while len(others) < len(MEANWHILE) and (added := self._handsets.add_next()):
            others.append(added)
        sids = await asyncio.gather(
            *(self._send_soon(n * BETWEEN, number, body) for n, body in enumerate(SPLIT)),
            *(self._send(other, body) for other, body in zip(others, MEANWHILE, strict=False)),
        )
        return {"sids": sids}

    async def picture(self, request: Request) -> Response:
        """A picture that one of the phones sent."""
        try:
            media = self._twilio.message(request.path_params["sid"]).media[request.path_params["position"]]
        except LookupError:
            return Response(status_code=404)
        return Response(media.content, media_type=media.content_type, headers=HEADERS)

    def number(self, request: Request) -> str:
        """The phone that a request is about. Raises `NotLikeThis`."""
        number: str = request.path_params["number"]
        if number not in self._handsets.numbers:
            raise NotLikeThis(f"There is no phone {number} here.")
        return number

    async def _send_soon(self, seconds: float, number: str, body: str) -> str:
        await asyncio.sleep(seconds)
        return await self._send(number, body)

    async def _send(self, number: str, body: str, media: Sequence[tuple[str, bytes]] = ()) -> str:
        return await self._twilio.text_from_phone(from_=number, to=self._our_number, body=body, media=media)


def told(act: Callable[[Request], Awaitable[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers JSON, and a refusal in one sentence."""

    async def endpoint(request: Request) -> Response:
        if not is_from_this_page(request):
            return JSONResponse({"error": "Only the phone page itself may ask for this."}, status_code=403)
        try:
            return JSONResponse(await act(request), headers=HEADERS)
        except ReplylineError as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=400, headers=HEADERS)

    return endpoint


def is_from_this_page(request: Request) -> bool:
    """Another site open in the same browser must not text: each text may cost the price of a model's answer."""
    is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    origin = request.headers.get("origin")
    return is_json and (origin is None or urlsplit(origin).netloc == request.headers.get("host"))


async def read_json(request: Request) -> dict[str, Any]:
    body = await body_of(request, LARGEST_REQUEST)
    if body is None:
        raise NotLikeThis(f"Pictures may have {LARGEST_PICTURES // 1024 // 1024} MB in all.")
    try:
        given = loads(body)
    except ValueError:
        raise NotLikeThis("That is not JSON.") from None
    if not isinstance(given, dict):
        raise NotLikeThis("That is not a text.")
    return given


def read_pictures(given: list[Any]) -> list[tuple[str, bytes]]:
    """The pictures with the type that their bytes show."""
    if len(given) > MOST_PICTURES:
        raise NotLikeThis(f"A text carries at most {MOST_PICTURES} pictures.")
    media = [read_picture(each) for each in given]
    if sum(len(content) for _, content in media) > LARGEST_PICTURES:
        raise NotLikeThis(f"Pictures may have {LARGEST_PICTURES // 1024 // 1024} MB in all.")
    return media


def read_picture(given: Any) -> tuple[str, bytes]:
    try:
        content = base64.b64decode(given["content"], validate=True)
    except (TypeError, KeyError, binascii.Error, ValueError):
        raise NotLikeThis("A picture comes as base64.") from None
    content_type = type_of(content)
    if content_type not in SENDABLE:
        raise NotLikeThis("Phones send JPEG, PNG and GIF pictures; this is something else.")
    return content_type, content


def file(name: str, content_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return FileResponse(FOLDER / name, media_type=content_type, headers=HEADERS)

    return endpoint
