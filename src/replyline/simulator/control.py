"""The control API: what Python can do with the simulated Twilio, over HTTP and in JSON, from any language."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from replyline.errors import ReplylineError
from replyline.phone_numbers import parse_e164
from replyline.simulator.account import Account, Alert
from replyline.simulator.answers import message_json, number_json
from replyline.simulator.exchange import ReceivedText
from replyline.simulator.fault_json import read_chances, read_trouble, standing_json
from replyline.simulator.json_forms import BadJson, Form, check, read_json
from replyline.simulator.new_message import Policy
from replyline.simulator.pacing import Pacing

if TYPE_CHECKING:
    from replyline.simulator.simulated_twilio import SimulatedTwilio

Answerer = Callable[[Request], Awaitable[object]]
NUMBER: dict[str, type] = {
    "number": str, "sms_url": str, "sms_method": str, "fallback_url": str, "fallback_method": str, "can_mms": bool,
}  # fmt: skip
SERVICE: dict[str, type] = {
    "senders": list, "friendly_name": str, "inbound_request_url": str, "inbound_method": str, "fallback_url": str,
    "fallback_method": str, "use_inbound_webhook_on_number": bool, "status_callback": str, "advanced_opt_out": bool,
}  # fmt: skip
POLICY: dict[str, type] = {
    "countries": list, "verified": list, "landlines": list, "magic_numbers": bool, "pacing": dict,
    "concurrent_requests": int, "media_link_lasts": float,
}  # fmt: skip
PACING: dict[str, type] = {each.name: float for each in fields(Pacing)} | {"queue_segments": int}


def control_routes(twilio: "SimulatedTwilio", account: Account) -> list[BaseRoute]:
    """The routes below /control. They ask for no credentials: this Twilio exists on your desk."""
    control = Control(twilio, account)
    return [
        Mount(
            "/control",
            routes=[
                route("/faults", GET=control.list_faults, POST=control.add_faults, DELETE=control.clear_faults),
                route("/faults/at-random", POST=control.add_chances),
                route("/faults/{id}", DELETE=control.clear_fault),
                route("/phones/{phone}/texts", GET=control.list_texts, POST=control.text),
                route("/phones/{phone}/opt-outs", POST=control.opt_out),
                route("/messages", GET=control.list_messages),
                route("/alerts", GET=control.list_alerts),
                route("/numbers", GET=control.list_numbers, POST=control.add_number),
                route("/services", POST=control.add_service),
                route("/policy", GET=control.show_policy, PATCH=control.change_policy),
            ],
        )
    ]


class Control:
    """Answers each request with what is then true."""

    def __init__(self, twilio: "SimulatedTwilio", account: Account) -> None:
        self._twilio, self._account = twilio, account

    async def list_faults(self, request: Request) -> object:
        return [standing_json(each) for each in self._twilio.faults.standing()]

    async def add_faults(self, request: Request) -> object:
        """One fault, or a list of them: all or none."""
        given = await read_json(request)
        wanted = [read_trouble(each) for each in (given if isinstance(given, list) else [given])]
        added = [standing_json(self._twilio.faults.add(trouble)) for trouble in wanted]
        return added if isinstance(given, list) else added[0]

    async def add_chances(self, request: Request) -> object:
        seed, chances = read_chances(await read_json(request))
        self._twilio.faults.at_random(seed=seed, **chances)
        return await self.list_faults(request)

    async def clear_faults(self, request: Request) -> object:
        self._twilio.faults.clear()
        return []

    async def clear_fault(self, request: Request) -> object:
        id = request.path_params["id"]
        if id not in {each.id for each in self._twilio.faults.standing()}:
            raise BadJson(f"No fault with the id '{id}' stands; GET /control/faults lists those that do.")
        self._twilio.faults.clear(id)
        return await self.list_faults(request)

    async def list_texts(self, request: Request) -> object:
        return [text_json(each) for each in self._twilio.phone(phone_of(request)).received]

    async def text(self, request: Request) -> object:
        """Text the business; answered once its server has answered Twilio."""
        phone = self._twilio.phone(phone_of(request))
        form = check(await read_json(request), {"body": str, "to": str, "media": list}, what="A text")
        media = [read_media(each) for each in form.get("media") or []]
        if not (form.get("body") or media):
            raise BadJson("A text has a 'body', 'media', or both.")
        return {"sid": await phone.text(form.get("body") or "", media=media, to=form.get("to"))}

    async def opt_out(self, request: Request) -> object:
        form = needed(check(await read_json(request), {"number": str}, what="An opt-out"), "number", "An opt-out")
        self._twilio.opt_out(phone_of(request), self._account.number(form["number"]).address)
        return {"phone": phone_of(request), "number": form["number"]}

    async def list_messages(self, request: Request) -> object:
        return [message_json(self._account, message) for message in self._twilio.messages]

    async def list_alerts(self, request: Request) -> object:
        return [alert_json(each) for each in self._twilio.alerts]

    async def list_numbers(self, request: Request) -> object:
        return [number_json(self._account, number) for number in self._account.numbers.values()]

    async def add_number(self, request: Request) -> object:
        form = needed(check(await read_json(request), NUMBER, what="A number"), "number", "A number")
        return number_json(self._account, self._twilio.add_number(form.pop("number"), **said(form)))

    async def add_service(self, request: Request) -> object:
        form = needed(check(await read_json(request), SERVICE, what="A service"), "senders", "A service")
        senders = [self._account.number(str(each)).address for each in form.pop("senders")]
        service = self._twilio.add_messaging_service(senders, **said(form))
        return asdict(service)

    async def show_policy(self, request: Request) -> object:
        return policy_json(self._twilio.policy)

    async def change_policy(self, request: Request) -> object:
        """What is said changes, null to what it was in the beginning; the rest stays."""
        form = check(await read_json(request), POLICY, what="A policy")
        changes = {name: read_rule(name, value) for name, value in form.items()}
        self._twilio.policy = replace(self._twilio.policy, **changes)
        return await self.show_policy(request)


def route(path: str, **answerers: Answerer) -> Route:
    async def endpoint(request: Request) -> Response:
        answerer = answerers["GET" if request.method == "HEAD" else request.method]
        try:
            answer = await answerer(request)
        except ReplylineError as refusal:
            return JSONResponse({"error": str(refusal)}, 400)
        return JSONResponse(answer, 201 if request.method == "POST" else 200)

    return Route(path, endpoint, methods=list(answerers))


def phone_of(request: Request) -> str:
    return parse_e164(request.path_params["phone"])


def needed(form: Form, name: str, what: str) -> Form:
    if not form.get(name):
        raise BadJson(f"{what} needs its '{name}'.")
    return form


def said(form: Form) -> Form:
    return {name: value for name, value in form.items() if value is not None}


def read_media(given: object) -> tuple[str, bytes]:
    form = check(given, {"content_type": str, "content": str}, what="A picture")
    try:
        content = base64.b64decode(form.get("content") or "", validate=True)
    except (binascii.Error, ValueError):
        raise BadJson("A picture's 'content' must be base64.") from None
    if not content or not form.get("content_type"):
        raise BadJson("A picture needs its 'content_type', and its 'content' as base64.")
    return form["content_type"], content


def read_rule(name: str, value: Any) -> Any:
    if value is None:
        return getattr(Policy(), name)
    if name == "pacing":
        return Pacing(**said(check(value, PACING, what="A pacing")))
    return frozenset(map(str, value)) if isinstance(value, list) else value


def text_json(text: ReceivedText) -> dict[str, Any]:
    return {
        "body": text.body,
        "from": text.sender,
        "media_urls": list(text.media_urls),
        "sid": text.sid,
        "at": text.at.isoformat(),
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    return {"code": alert.code, "url": alert.url, "message_sid": alert.message_sid, "at": alert.at.isoformat()}


def policy_json(policy: Policy) -> dict[str, Any]:
    said = asdict(policy)
    return said | {name: sorted(value) for name, value in said.items() if isinstance(value, frozenset)}
