"""Twilio's webhooks: check the signature, write one row, answer 200 after the commit. Everything slow comes later.

Plain ASGI: a text takes one pass over its bytes. Parsing and checking cost 25 µs here, 130 µs more with a framework's
form parser and a validation model.
"""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.types import Receive, Scope, Send

from replyline.clock import Clock
from replyline.conversations.text import InboundText, Picture
from replyline.costs.book import PriceBook
from replyline.costs.prices import PriceList
from replyline.db import Db
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.inbound.limits import PerAddress
from replyline.inbound.receive import Arrival, Received, receive
from replyline.log import get_log
from replyline.phone_numbers import MESSAGING_SERVICE_SID
from replyline.plugins.line import Line
from replyline.rules.keywords import NO_MORE, Words
from replyline.twilio.form import parse_form
from replyline.twilio.signature import is_signed

log = get_log(__name__)

LARGEST_BODY = 64 * 1024  # bytes; of the query too, which holds the fields of a GET
# Twilio stops listening after 15 s; an honest error before that makes it call the fallback.
PATIENCE = 10.0
SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
MOST_PICTURES = 10

EMPTY_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
APOLOGY = "Sorry, we can't take your text right now. Please try again later."
# Fields that have a column of their own, or repeat one; all others are kept as they came.
KNOWN = {
    "MessageSid", "SmsSid", "SmsMessageSid", "From", "To", "Body", "NumMedia", "NumSegments", "MessagingServiceSid",
    "OptOutType", "AccountSid", "ApiVersion", "SmsStatus",
}  # fmt: skip

Fields = list[tuple[str, str]]


@dataclass
class Counts:
    """What the webhooks have seen since the start, for whoever watches."""

    seen: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP answer, ready to send."""

    status: int
    body: bytes = b""
    content_type: bytes = b"text/xml"


STORED = Answer(status=200, body=EMPTY_TWIML)


class Webhook:
    """One webhook as an ASGI endpoint; `Sms`, `StatusCallback` and `Fallback` say what is done with a signed request."""

    def __init__(
        self, *, path: str, public_url: str, auth_tokens: tuple[str, ...], line: Line, db: Db, clock: Clock,
        limit: PerAddress, counts: Counts, words: Words = NO_MORE, secret: bytes = b"",
        prices: PriceBook | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self._url = public_url.rstrip("/") + path
        self._tokens = auth_tokens
        self._line, self._db, self._clock = line, db, clock
        self._limit, self._counts, self._words, self._secret = limit, counts, words, secret
        self._stored, self._prices = Stored(), prices or PriceBook()

    async def __call__(self, scope: Scope, receive_bytes: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive_bytes)
        headers = [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive_bytes: Receive) -> Answer:
        method = scope["method"]
        if method not in ("POST", "GET"):
            return refusal(405, "Twilio's webhooks are GET or POST.")
        headers = dict(scope["headers"])
        body = b""
        if method == "POST":
            if not headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
                return refusal(415, "A webhook carries an application/x-www-form-urlencoded form.")
            read = await read_body(receive_bytes, headers)
            if isinstance(read, Answer):
                return read
            body = read
        query: bytes = scope["query_string"]
        if len(query) > LARGEST_BODY:
            return refusal(414, f"A webhook's query has at most {LARGEST_BODY} bytes.")
        url = f"{self._url}?{query.decode('latin-1')}" if query else self._url
        form = parse_form(body) if method == "POST" else []
        signature = headers.get(b"x-twilio-signature", b"").decode("latin-1")
        if not is_signed(self._tokens, url, form, signature):
            return self._unsigned(scope, url, has_signature=bool(signature))
        fields = form if method == "POST" else parse_form(query)
        return await self.signed(fields, parse_form(query), self._clock.now())

    async def signed(self, fields: Fields, query: Fields, now: datetime) -> Answer:
        raise NotImplementedError

    def _unsigned(self, scope: Scope, url: str, *, has_signature: bool) -> Answer:
        self._counts.seen["unsigned"] += 1
        self._counts.seen["wrongly_signed"] += has_signature
        address = address_of(scope)
        if not self._limit.allows(address):
            self._counts.seen["unsigned_limited"] += 1
            return refusal(429, "Too many unsigned requests from this address.")
        # The URL is what goes wrong in practice: a proxy, a port or a path that differs from what Twilio was told.
        log.warning("webhook_unsigned", url=without_query(url), has_signature=has_signature, address=address)
        return refusal(403, "The signature does not match this URL and its fields.")


class Sms(Webhook):
    """A person wrote to us."""

    async def signed(self, fields: Fields, query: Fields, now: datetime) -> Answer:
        text = inbound_text(dict(fields), now)
        if text is None:
            return refusal(400, "The form has no MessageSid, From and To of a message.")
        try:
            arrival = Arrival(
                line=self._line, text=text, words=self._words, secret=self._secret, prices=self._prices.now
            )
            result = await self._db.gather(receive, arrival, within=PATIENCE, urgent=True)
        except Exception:
            log.exception("text_not_stored", sid=text.sid)
            self._counts.seen["texts_not_stored"] += 1
            return self.not_stored()
        self._counts.seen[f"texts_{result.value}"] += 1
        if result is not Received.AGAIN:
            self._stored.note(text.sid, result)
        return STORED

    def not_stored(self) -> Answer:
        return refusal(503, "The text could not be stored; send it again.")


class Stored:
    """Puts the texts that were stored together into one line of the log: a line for each costs more than storing it."""

    def __init__(self) -> None:
        self._sids: dict[str, list[str]] = {}

    def note(self, sid: str, result: Received) -> None:
        if not self._sids:
            asyncio.get_running_loop().call_soon(self._write)
        self._sids.setdefault(result.value, []).append(sid)

    def _write(self) -> None:
        sids, self._sids = self._sids, {}
        log.info("texts_received", **sids)


class Fallback(Sms):
    """Twilio could not use our first answer: the text is stored if it was not, and people hear from us if it cannot be."""

    def not_stored(self) -> Answer:
        return Answer(status=200, body=f"<Response><Message>{APOLOGY}</Message></Response>".encode())


class StatusCallback(Webhook):
    """Twilio says how far a text of ours has come."""

    async def signed(self, fields: Fields, query: Fields, now: datetime) -> Answer:
        each = delivery_report(dict(fields), dict(query), now, self._line, self._prices.now)
        if each is None:
            return refusal(400, "The form has no MessageSid and MessageStatus.")
        try:
            await self._db.gather(report, each, within=PATIENCE, urgent=True)
        except Exception:
            log.exception("delivery_report_not_stored", sid=each.sid)
            self._counts.seen["reports_not_stored"] += 1
            return refusal(503, "The report could not be stored; send it again.")
        self._counts.seen["delivery_reports"] += 1
        return Answer(status=200)


async def read_body(receive_bytes: Receive, headers: dict[bytes, bytes]) -> bytes | Answer:
    """The request's body; a refusal when it is too large, whatever its Content-Length says, or never ends."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 9 or int(declared) > LARGEST_BODY):
        return TOO_LARGE
    body = bytearray()
    while True:
        message = await receive_bytes()
        if message["type"] == "http.disconnect":
            return HALF
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return TOO_LARGE
        if not message.get("more_body", False):
            return bytes(body)


def inbound_text(fields: dict[str, str], now: datetime) -> InboundText | None:
    """The text a signed webhook describes. None when it is not a message."""
    fields = without_nul(fields)
    sid = fields.get("MessageSid") or fields.get("SmsMessageSid") or fields.get("SmsSid") or ""
    phone, ours, service = fields.get("From", ""), fields.get("To", ""), fields.get("MessagingServiceSid", "")
    if not SID.fullmatch(sid) or not 0 < len(phone) <= 64 or not 0 < len(ours) <= 64:
        return None
    return InboundText(
        sid=sid,
        phone=phone,
        our_address=ours,
        body=fields.get("Body", ""),
        pictures=pictures_of(fields),
        segments=number(fields.get("NumSegments")) or 1,
        messaging_service_sid=service if MESSAGING_SERVICE_SID.fullmatch(service) else None,
        opt_out_type=(fields.get("OptOutType") or "").upper()[:8] or None,
        fields=rest_of(fields),
        received_at=now,
    )


def pictures_of(fields: dict[str, str]) -> tuple[Picture, ...]:
    count = min(number(fields.get("NumMedia")) or 0, MOST_PICTURES)
    return tuple(
        Picture(url=fields[f"MediaUrl{n}"], content_type=fields.get(f"MediaContentType{n}", "")[:100])
        for n in range(count)
        if fields.get(f"MediaUrl{n}")
    )


def delivery_report(
    fields: dict[str, str], query: dict[str, str], now: datetime, line: Line, prices: PriceList
) -> DeliveryReport | None:
    """The report a signed status callback makes. None when it is not one."""
    fields, query = without_nul(fields), without_nul(query)
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    status = (fields.get("MessageStatus") or fields.get("SmsStatus") or "").lower()
    if not SID.fullmatch(sid) or not re.fullmatch(r"[a-z_]{1,24}", status):
        return None
    return DeliveryReport(
        sid=sid,
        text_id=query.get("text", "")[:40] or None,
        status=status,
        error_code=number(fields.get("ErrorCode")),
        fields={k: v for k, v in rest_of(fields).items() if k not in {"MessageStatus", "ErrorCode"}},
        received_at=now,
        line=line,
        prices=prices,
    )


def rest_of(fields: dict[str, str]) -> dict[str, Any]:
    return {
        name: value
        for name, value in fields.items()
        if name not in KNOWN and not name.startswith(("MediaUrl", "MediaContentType"))
    }


def without_nul(fields: dict[str, str]) -> dict[str, str]:
    """PostgreSQL's text cannot hold NUL."""
    if "\x00" not in "".join([*fields, *fields.values()]):
        return fields
    return {name.replace("\x00", ""): value.replace("\x00", "") for name, value in fields.items()}


def number(written: str | None) -> int | None:
    return int(written) if written and written.isascii() and written.isdigit() and len(written) < 9 else None


def address_of(scope: Scope) -> str:
    """Who asks. A careless proxy hands on whatever a stranger wrote; only an IP address is worth remembering."""
    address: str = (scope.get("client") or ("", 0))[0]
    return address if re.fullmatch(r"[0-9a-fA-F.:]{3,45}", address) else "unknown"


def without_query(url: str) -> str:
    """The query of a GET webhook holds the phone and the body; a log must not."""
    return url.partition("?")[0]


def refusal(status: int, sentence: str) -> Answer:
    # As XML: Twilio would text a text/plain answer to the person.
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error>{sentence.replace("&", "&amp;")}</Error>'
    return Answer(status=status, body=body.encode(), content_type=b"application/xml")


TOO_LARGE = refusal(413, f"A webhook's form has at most {LARGEST_BODY} bytes.")
HALF = refusal(400, "The connection ended within the form.")
