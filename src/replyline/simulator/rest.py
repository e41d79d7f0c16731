"""The REST API on Twilio's own paths: who asks is checked, faults are let in, and each answer has Twilio's headers."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from replyline.simulator.answers import refusal_json
from replyline.simulator.exchange import Exchange
from replyline.simulator.mishaps import Ending, Fault, RestRequest
from replyline.simulator.new_message import Fields
from replyline.simulator.refusals import REFUSALS, Refusal
from replyline.twilio.form import parse_form

DROP = "replyline.drop"  # an ASGI extension of the simulator's own server: close the connection at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A REST request, read."""

    path: str
    names: Mapping[str, str]  # the SIDs in the path
    fields: Fields  # of the form
    query: dict[str, str]
    base_url: str  # where this Twilio is for the one who asks

    @property
    def form(self) -> dict[str, str]:
        return dict(self.fields)


Answerer = Callable[[Asked], Response]


class RestApi:
    """Turns the functions that answer into Starlette endpoints."""

    def __init__(self, exchange: Exchange, secrets: Mapping[str, tuple[str, ...]]) -> None:
        self._exchange, self._secrets = exchange, secrets
        self._open = 0
        self._requests = 0

    def app(self, routes: list[BaseRoute]) -> Starlette:
        return Starlette(routes=routes, exception_handlers={404: self._refuse, 405: self._refuse})

    def route(self, path: str, *, is_public: bool = False, is_for_tests: bool = False, **answerers: Answerer) -> Route:
        """One path with a function per HTTP method. Public ones ask for no credentials."""

        async def endpoint(request: Request) -> Response:
            answerer = answerers["GET" if request.method == "HEAD" else request.method]
            self._open += 1
            started = perf_counter()
            try:
                response = await self._answer(request, answerer, is_public=is_public, is_for_tests=is_for_tests)
            finally:
                self._open -= 1
            return self._with_headers(response, started)

        return Route(path, endpoint, methods=list(answerers))

    def _with_headers(self, response: Response, started: float) -> Response:
        """Those that every answer of Twilio's has."""
        self._requests += 1
        response.headers["Twilio-Request-Id"] = f"RQ{self._requests:032x}"
        response.headers["Twilio-Concurrent-Requests"] = str(self._open + 1)
        response.headers["Twilio-Request-Duration"] = f"{perf_counter() - started:.3f}"
        return response

    async def _refuse(self, request: Request, error: Exception) -> Response:
        """No such path, or not with this method."""
        assert isinstance(error, HTTPException)
        started, asked = perf_counter(), await read(request)
        refusal = Refusal(20004 if error.status_code == 405 else 20404, path=asked.path)
        return self._with_headers(answer_refusal(refusal), started)

    async def _answer(self, request: Request, answerer: Answerer, *, is_public: bool, is_for_tests: bool) -> Response:
        asked = await read(request)
        most = self._exchange.policy.concurrent_requests
        if most is not None and self._open > most and not is_public:
            return answer_refusal(Refusal(20429))
        fault = self._exchange.faults.of_request(
            RestRequest(method=request.method, path=asked.path, fields=asked.query | asked.form)
        )
        if fault is None:
            return self._done(request, asked, answerer, is_public=is_public, is_for_tests=is_for_tests)
        if not fault.is_done:
            await self._exchange.clock.sleep(fault.seconds)
            if fault.ending is not Ending.SLOW:
                return WrongAnswer(fault, asked)
        response = self._done(request, asked, answerer, is_public=is_public, is_for_tests=is_for_tests)
        if fault.is_done:
            await self._exchange.clock.sleep(fault.seconds)
        return response if fault.ending is Ending.SLOW or response.status_code >= 400 else WrongAnswer(fault, asked)

    def _done(
        self, request: Request, asked: Asked, answerer: Answerer, *, is_public: bool, is_for_tests: bool
    ) -> Response:
        try:
            if not is_public:
                self._check(request, asked, is_for_tests=is_for_tests)
            return answerer(asked)
        except Refusal as refusal:
            return answer_refusal(refusal)

    def _check(self, request: Request, asked: Asked, *, is_for_tests: bool) -> None:
        """Basic auth by the account's SID and token, or by an API key and its secret."""
        name, password = credentials(request.headers.get("Authorization", ""))
        if not password or password not in self._secrets.get(name, ()):
            raise Refusal(20003)
        if asked.names.get("account", self._exchange.account.sid) != self._exchange.account.sid:
            raise Refusal(20404, path=asked.path)
        if self._exchange.policy.magic_numbers and not is_for_tests:
            raise Refusal(20008)


async def read(request: Request) -> Asked:
    root = request.scope.get("root_path", "")
    return Asked(
        path=request.scope["path"].removeprefix(root),
        names=request.path_params,
        fields=parse_form(await request.body()),
        query=dict(parse_form(request.scope["query_string"])),
        base_url=f"{request.url.scheme}://{request.url.netloc}{root}",
    )


def credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password


def answer_refusal(refusal: Refusal) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if refusal.status == 401 else None
    return JSONResponse(refusal_json(refusal.code, refusal.status, str(refusal)), refusal.status, headers)


class WrongAnswer(Response):
    """What a fault makes of an answer."""

    def __init__(self, fault: Fault, asked: Asked) -> None:
        given = asked.query | asked.form
        about = {"to": given.get("To", ""), "sender": given.get("From", ""), "url": given.get("StatusCallback", "")}
        sentence = REFUSALS.get(fault.code, (0, "Error"))[1].format(**about, path=asked.path, why="")
        content = JSONResponse(refusal_json(fault.code, fault.status, sentence)).body
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
        super().__init__(bytes(content), fault.status, headers, media_type="application/json")
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._fault.ending is Ending.ERROR:
            await super().__call__(scope, receive, send)
        elif self._fault.ending is Ending.SILENCE:
            await until_they_give_up(receive)
        elif DROP in scope.get("extensions", {}):
            scope["extensions"][DROP]["close"]()
            await until_they_give_up(receive)
        else:
            # Another server cannot be told to close: an answer that breaks off makes it.
            headers = [(b"content-length", b"1000")]
            await send({"type": "http.response.start", "status": self._fault.status, "headers": headers})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def until_they_give_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
