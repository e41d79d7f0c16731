"""Twilio's Consent API, which puts people on its own opt-out list and takes them off it.

https://www.twilio.com/docs/messaging/features/consent-api
"""

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replyline.phone_numbers import NotAPhoneNumber, parse_e164
from replyline.simulator.changes import Kind
from replyline.simulator.exchange import Exchange
from replyline.simulator.json_forms import loads
from replyline.simulator.refusals import Refusal
from replyline.simulator.rest import Asked, RestApi

MOST_ITEMS = 25
MOST_REQUESTS, WINDOW = 100, timedelta(minutes=1)
INVALID = 30646
CORRELATION_ID = re.compile(r"[0-9a-fA-F]{32}")
STATUSES = {"opt-in", "opt-out"}
SOURCES = {"website", "offline", "opt-in-message", "opt-out-message", "others"}


class Consents:
    """Answers /v1/Consents/Bulk. Its host is accounts.twilio.com; here all hosts are one."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._account = exchange, exchange.account
        self._asked: deque[datetime] = deque()

    def routes(self, api: RestApi) -> list[Route]:
        return [api.route("/v1/Consents/Bulk", POST=self.bulk)]

    def bulk(self, asked: Asked) -> Response:
        self._check_rate()
        items = [read_item(value) for name, value in asked.fields if name == "Items"]
        if not 1 <= len(items) <= MOST_ITEMS:
            raise Refusal(30400, why=f"Items must be 1 to {MOST_ITEMS}")
        return JSONResponse({"items": [self._take(item) for item in items]}, 201)

    def _check_rate(self) -> None:
        now = self._exchange.clock.now()
        while self._asked and self._asked[0] <= now - WINDOW:
            self._asked.popleft()
        if len(self._asked) >= MOST_REQUESTS:
            raise Refusal(20429)
        self._asked.append(now)

    def _take(self, item: dict[str, Any]) -> dict[str, Any]:
        wrong = list(self._faults(item))
        if not wrong:
            self._heed(item["contact_id"], item["sender_id"], is_opt_out=item["status"] == "opt-out")
        return {
            "correlation_id": item.get("correlation_id"),
            "error_code": INVALID if wrong else 0,
            "error_messages": wrong,
        }

    def _faults(self, item: dict[str, Any]) -> Iterator[str]:
        if not is_e164(item.get("contact_id")):
            yield "INVALID_CONTACT_ID"
        if not CORRELATION_ID.fullmatch(str(item.get("correlation_id"))):
            yield "INVALID_CORRELATION_ID"
        if str(item.get("sender_id")) not in {*self._account.services, *self._account.numbers}:
            yield "INVALID_SENDER_ID"
        if str(item.get("status")) not in STATUSES:
            yield "INVALID_STATUS"
        if str(item.get("source")) not in SOURCES:
            yield "INVALID_SOURCE"
        if not is_moment(item.get("date_of_consent")):
            yield "INVALID_DATE_OF_CONSENT"

    def _heed(self, phone: str, sender: str, *, is_opt_out: bool) -> None:
        service = self._account.services.get(sender) or self._account.service_of(sender)
        was_blocked = self._exchange.opt_outs.blocks(phone, sender, service)
        if is_opt_out:
            self._exchange.opt_outs.block(phone, sender, service)
        else:
            self._exchange.opt_outs.unblock(phone, sender, service)
        if was_blocked is not is_opt_out:
            kind = Kind.OPTED_OUT if is_opt_out else Kind.OPTED_IN
            self._exchange.tell(kind, sid=None, sender=phone, to=sender, status="consent")


def read_item(written: str) -> dict[str, Any]:
    try:
        item = loads(written)
    except ValueError:
        item = None
    if not isinstance(item, dict):
        raise Refusal(30400, why="each of Items must be a JSON object")
    return item


def is_e164(number: object) -> bool:
    try:
        return isinstance(number, str) and parse_e164(number) == number
    except NotAPhoneNumber:
        return False


def is_moment(written: object) -> bool:
    """Whether it is a time in ISO 8601, or nothing: it is optional."""
    if written in (None, ""):
        return True
    try:
        return datetime.fromisoformat(str(written)).tzinfo is not None
    except ValueError:
        return False
