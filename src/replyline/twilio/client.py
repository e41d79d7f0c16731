"""Twilio's REST API: the official package's resources over one pooled asynchronous connection.

The package builds requests, reads answers and follows pages; it has no timeout and no notion of "we cannot know",
so the wire and the outcomes are ours.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from replyline.twilio.wire import LAST_LOOK, REAL, InDoubt, Refused, SendError, Throttled, TooLate, Unreachable, Wire

__all__ = [
    "ConsentAnswer",
    "ConsentItem",
    "InDoubt",
    "Listed",
    "Message",
    "Outgoing",
    "Refused",
    "SendError",
    "Throttled",
    "TooLate",
    "TwilioClient",
    "Unreachable",
]

# Of a list: Twilio would give up to 1,000 a page. Most looks need the newest few; what came in is read to its end.
PAGE, PAGE_OF_RECEIVED, PAGE_OF_ALL, MOST_PAGES = 100, 500, 1000, 10
# Seconds between the tries of a further page: at one failure in twelve, a list of forty pages would never be read.
PATIENCE = (0.2, 1.0, 3.0)
MOST_MEDIA = 10
NOT_COMPLETE = 20009  # a message in progress can be neither deleted nor emptied


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """What we ask Twilio to send."""

    to: str
    sender: str | None  # a number, short code or alphanumeric id
    messaging_service_sid: str | None
    body: str
    media_urls: Sequence[str]
    status_callback: str
    validity_seconds: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as Twilio has it."""

    sid: str
    status: str
    body: str
    sender: str | None  # none until a messaging service has chosen
    to: str
    created_at: datetime | None
    direction: str  # inbound, outbound-api, outbound-call or outbound-reply
    error_code: int | None
    segments: int
    messaging_service_sid: str | None = None
    media: int = 0  # how many pictures or files
    sent_at: datetime | None = None
    price: Decimal | None = None  # what it costs, carrier fees included; none until Twilio says, up to a day later
    currency: str = "USD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A number of the account, and what Twilio calls when it is texted."""

    address: str
    sms_url: str
    fallback_url: str
    has_application: bool  # whose addresses then count instead


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentItem:
    """What Twilio's Consent API is told of one person and one sender."""

    phone: str
    correlation_id: str  # 32 hex digits, the same in every try
    sender: str  # a number, or a messaging service
    status: str  # opt-in or opt-out
    source: str  # website, offline, opt-in-message, opt-out-message or others
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentAnswer:
    """What it said of one item."""

    correlation_id: str
    error_code: int  # 0: it is done
    error_messages: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What Twilio billed on one UTC day in one category."""

    day: date
    category: str
    price: Decimal
    currency: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CountryPrices:
    """What the Pricing API says of a country: for a segment, whatever the carrier or kind of number; carriers' fees not in it."""

    outbound: Sequence[Decimal]
    inbound: Sequence[Decimal]
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What a list of Twilio's has since some moment, the newest first."""

    messages: list[Message]
    is_whole: bool  # false when there is more than we read


class TwilioClient:
    """One account's REST API. Make it inside a running event loop, and close it."""

    def __init__(
        self,
        *,
        account_sid: str,
        username: str,
        password: str,
        url: str = REAL,
        page: int | None = None,
        most_pages: int = MOST_PAGES,
    ) -> None:
        self._wire = Wire(url)
        self._page, self._most_pages = page, most_pages
        self._client = Client(username, password, account_sid, http_client=self._wire)
        self._account = self._client.api.v2010.accounts(account_sid)
        self._messages = self._account.messages

    @property
    def is_cut_off(self) -> bool:
        """Whether Twilio cannot be reached from here just now, as far as the last requests tell."""
        return self._wire.is_cut_off

    async def create(self, outgoing: Outgoing, *, in_time: Callable[[], bool] = lambda: True) -> Message:
        """Send a text, if `in_time` still says so when its first byte is to go out.

        Raises `TooLate`, `Refused`, `Throttled` or `InDoubt`.
        """
        LAST_LOOK.set(in_time)
        given: dict[str, Any] = {
            "to": outgoing.to,
            "from_": outgoing.sender,
            "messaging_service_sid": outgoing.messaging_service_sid,
            "body": outgoing.body or None,
            "media_url": list(outgoing.media_urls) or None,
            "status_callback": outgoing.status_callback,
            "validity_period": outgoing.validity_seconds,
        }
        try:
            made = await self._messages.create_async(
                **{name: value for name, value in given.items() if value is not None}
            )
        except TwilioRestException as error:
            code = error.code or None
            raise Refused(f"Twilio refused the text: {code or error.status}.", code=code, status=error.status) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if isinstance(
                error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
            ):  # nothing can have arrived
                raise Unreachable("Twilio cannot be reached.", retry_after=None) from error
            raise InDoubt(f"Twilio did not answer: {type(error).__name__}.") from error
        except (ValueError, KeyError, TypeError) as error:  # 201, and a body that is not what Twilio writes
            raise InDoubt("Twilio's answer could not be read.") from error
        return as_message(made)

    async def sent_to(self, to: str, *, since: datetime) -> Listed:
        """What this account has made for a number since then. Raises a `SendError` when Twilio is away.

        The list's own filter goes by the date a message was sent, which one that waits in Twilio's queue does not
        have yet; so we ask by number alone and go by the date it was made.
        """
        return await self._newest(since, self._most_pages, PAGE, to=to)

    async def received_at(self, address: str, *, since: datetime) -> list[Message]:
        """What has come in at an address of ours since then, all of it. Raises a `SendError` when Twilio is away."""
        # The filter knows whole days, and goes by when the webhook was called.
        day = f"{since - timedelta(days=1):%Y-%m-%d}"
        listed = await self._newest(since, None, PAGE_OF_RECEIVED, to=address, date_sent_after=day)
        return [message for message in listed.messages if message.direction == "inbound"]

    async def all_since(self, since: datetime, until: date) -> AsyncIterator[list[Message]]:
        """Everything that went out or came in, page after page. Raises a `SendError` when Twilio is away."""
        days = {"date_sent_after": f"{since - timedelta(days=1):%Y-%m-%d}", "date_sent_before": until.isoformat()}
        async for listed in self._pages(self._page or PAGE_OF_ALL, **days):
            young = [each for each in listed if each.created_at is None or each.created_at >= since]
            yield young
            if listed and not young:
                break

    async def usage(self, since: date, until: date) -> list[Usage]:
        """What was billed from one UTC day to another, by category. Raises a `SendError` when Twilio is away."""
        with reading("The usage records"):
            found = await self._account.usage.records.daily.list_async(start_date=since, end_date=until, page_size=1000)
            return [
                Usage(
                    day=as_date(each.start_date),
                    category=each.category,
                    price=Decimal(str(each.price or 0)),
                    currency=(each.price_unit or "USD").upper(),
                    count=int(each.count or 0),
                )
                for each in found
            ]

    async def prices_in(self, country: str) -> CountryPrices | None:
        """Today's prices in a country; none when it has none. Raises a `SendError` when Twilio is away."""
        with reading("The Pricing API"):
            try:
                found = await self._client.pricing.v1.messaging.countries(country).fetch_async()
            except TwilioRestException as error:
                if error.status == 404:
                    return None
                raise
            outbound = [row for carrier in found.outbound_sms_prices or () for row in carrier["prices"]]
            return CountryPrices(
                outbound=[Decimal(str(row["current_price"])) for row in outbound],
                inbound=[Decimal(str(row["current_price"])) for row in found.inbound_sms_prices or ()],
                currency=(found.price_unit or "USD").upper(),
            )

    async def message(self, sid: str) -> Message | None:
        """One message; none when Twilio does not have it (any more). Raises a `SendError` when Twilio is away."""
        with reading("A message"):
            try:
                return as_message(await self._messages(sid).fetch_async())
            except TwilioRestException as error:
                if error.status == 404:
                    return None
                raise

    async def media_of(self, sid: str) -> list[tuple[str, str]]:
        """Address and content type of what is attached to a message. Raises a `SendError` when Twilio is away."""
        with reading("A message's media"):
            try:
                found = await self._messages(sid).media.list_async(limit=MOST_MEDIA)
            except TwilioException as error:
                if status_of(error) == 404:
                    return []
                raise
            return [(self._wire.url + each.uri.removesuffix(".json"), each.content_type or "") for each in found]

    async def delete(self, sid: str, *, with_media: bool) -> bool:
        """Delete a message; its media first, which nobody finds without it. False while Twilio is still at work on it.

        Fine when it is gone already. Raises a `SendError` when Twilio is away, or says no.
        """
        message = self._messages(sid)
        with asking("delete a message"):
            try:
                for each in await message.media.list_async(limit=MOST_MEDIA) if with_media else ():
                    with fine_when_gone():
                        await message.media(each.sid).delete_async()
                with fine_when_gone():
                    await message.delete_async()
            except TwilioException as error:
                if status_of(error) == 404:  # the list of a message that is gone
                    return True
                if getattr(error, "code", None) == NOT_COMPLETE or status_of(error) == 409:
                    return False
                raise
        return True

    async def tell_consents(self, items: Sequence[ConsentItem]) -> list[ConsentAnswer]:
        """Have Twilio write down up to 25 opt-ins and opt-outs. Raises a `SendError` when it took none, or may not have."""
        written = [
            {
                "contact_id": item.phone,
                "correlation_id": item.correlation_id,
                "sender_id": item.sender,
                "status": item.status,
                "source": item.source,
                "date_of_consent": f"{item.at:%Y-%m-%dT%H:%M:%SZ}",
            }
            for item in items
        ]
        with asking("take consents"):
            made = await self._client.accounts.v1.bulk_consents.create_async(items=written)
            return [
                ConsentAnswer(
                    correlation_id=str(each["correlation_id"]),
                    error_code=int(each["error_code"]),
                    error_messages=[str(message) for message in each.get("error_messages") or ()],
                )
                for each in made.items
            ]

    async def pool_of(self, service: str) -> list[str]:
        """The numbers and short codes of a messaging service. Raises a `SendError` when Twilio is away."""
        with reading("A messaging service"):
            pool = self._client.messaging.v1.services(service)
            numbers = [each.phone_number for each in await pool.phone_numbers.list_async()]
            return numbers + [each.short_code for each in await pool.short_codes.list_async()]

    async def number(self, address: str) -> Number | None:
        """One of the account's numbers; none when it is not there. Raises a `SendError` when Twilio is away."""
        with reading("A number"):
            for each in await self._account.incoming_phone_numbers.list_async(phone_number=address, limit=1):
                return Number(
                    address=each.phone_number,
                    sms_url=each.sms_url or "",
                    fallback_url=each.sms_fallback_url or "",
                    has_application=bool(each.sms_application_sid),
                )
        return None

    async def _newest(self, since: datetime, most_pages: int | None, page: int, **filters: Any) -> Listed:
        """Follow the pages, which begin with the newest, until one is older than that or there have been enough."""
        messages: list[Message] = []
        pages = 0
        async for listed in self._pages(self._page or page, **filters):
            if pages == most_pages:
                return Listed(messages=messages, is_whole=False)
            young = [each for each in listed if each.created_at is None or each.created_at >= since]
            if listed and not young:
                break
            messages += young
            pages += 1
        return Listed(messages=messages, is_whole=True)

    async def _pages(self, size: int, **filters: Any) -> AsyncIterator[list[Message]]:
        with reading("The list of messages"):
            page = await self._messages.page_async(page_size=size, **filters)
        while page is not None:
            with reading("The list of messages"):
                found = [as_message(each) for each in page]
            yield found
            page = await patiently(page.next_page_async)

    async def close(self) -> None:
        await self._wire.close()


async def patiently(next_page: Callable[[], Awaitable[Any]]) -> Any:
    """The next page of a list, tried a few times: what was read of the list before would be for nothing."""
    for pause in (*PATIENCE, None):
        try:
            with reading("The list of messages"):
                return await next_page()
        except (InDoubt, Throttled, Unreachable):
            if pause is None:
                raise
            await asyncio.sleep(pause)
    return None


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever keeps Twilio from being read into `InDoubt`: not reached, a no, or an answer that is not Twilio's."""
    try:
        yield
    except TwilioException as error:
        raise InDoubt(f"{what} could not be read at Twilio: {status_of(error) or type(error).__name__}.") from error
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise InDoubt(f"{what} could not be read at Twilio: {type(error).__name__}.") from error


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what keeps Twilio from doing something into a `SendError`."""
    try:
        yield
    except TwilioException as error:
        status = status_of(error) or 0
        raise Refused(f"Twilio would not {what}: {status}.", code=getattr(error, "code", None), status=status) from None
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
        raise InDoubt(f"Twilio could not be told to {what}: {type(error).__name__}.") from error


@contextlib.contextmanager
def fine_when_gone() -> Iterator[None]:
    try:
        yield
    except TwilioRestException as error:
        if error.status != 404:
            raise


def status_of(error: TwilioException) -> int | None:
    """The HTTP status of a no; the package keeps a list's in another place than a record's."""
    response = next((each for each in error.args if hasattr(each, "status_code")), None)
    status: int | None = getattr(error, "status", None) or getattr(response, "status_code", None)
    return status


def as_message(made: Any) -> Message:
    return Message(
        sid=made.sid,
        status=str(getattr(made.status, "value", made.status)),
        body=made.body or "",
        sender=made.from_,
        to=made.to,
        created_at=made.date_created.astimezone(UTC) if made.date_created else None,
        direction=str(getattr(made.direction, "value", made.direction)),
        error_code=made.error_code,
        segments=int(made.num_segments or 0),
        messaging_service_sid=made.messaging_service_sid,
        media=int(made.num_media or 0),
        sent_at=made.date_sent.astimezone(UTC) if made.date_sent else None,
        price=as_cost(made.price),
        currency=(made.price_unit or "USD").upper(),
    )


def as_cost(price: str | None) -> Decimal | None:
    """Twilio writes what we pay as a negative number."""
    try:
        return None if price in (None, "") else -Decimal(str(price)) + 0
    except InvalidOperation:
        return None


def as_date(written: date | str) -> date:
    return date.fromisoformat(written) if isinstance(written, str) else written
