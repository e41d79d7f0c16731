"""A request to send a message, checked as Twilio checks it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from replyline.conversations.segments import LONGEST_BODY
from replyline.phone_numbers import (
    MESSAGING_SERVICE_SID,
    NotAPhoneNumber,
    SenderKind,
    country_of,
    parse_e164,
    sender_kind,
)
from replyline.simulator.account import Account, MessagingService
from replyline.simulator.billing import Tariff
from replyline.simulator.magic_numbers import check_magic
from replyline.simulator.opt_outs import OptOuts
from replyline.simulator.pacing import Pacing
from replyline.simulator.refusals import Refusal
from replyline.twilio.form import whole_number

MOST_MEDIA = 10
SOONEST, LATEST = timedelta(seconds=300), timedelta(days=35)
ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")

Fields = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the account may do."""

    countries: frozenset[str] | None = None  # that may be texted; none: all
    verified: frozenset[str] | None = None  # a trial account's recipients; none: not a trial account
    landlines: frozenset[str] = frozenset()
    magic_numbers: bool = False
    pacing: Pacing | None = None  # how fast texts leave; none: at once
    tariff: Tariff | None = None  # what it costs; none: nothing, and no message ever has a price
    concurrent_requests: int | None = None  # more at the same moment are answered 429; none: any number
    media_link_lasts: float = 4 * 3600  # seconds in which a picture can be fetched where Twilio redirects to


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMessage:
    """What is to be sent."""

    to: str
    sender: str | None
    service: MessagingService | None
    body: str
    media_urls: tuple[str, ...]
    is_mms: bool
    status_callback: str | None
    validity_seconds: int
    send_at: datetime | None


def read_new_message(fields: Fields, account: Account, opt_outs: OptOuts, policy: Policy) -> NewMessage:
    """Read a create request. Raises `Refusal` with what Twilio would say."""
    given = dict(fields)
    media_urls = tuple(value for name, value in fields if name == "MediaUrl" and value)
    body = given.get("Body", "")
    check_there_is_something(given, body, media_urls)
    service = find_service(given, account)
    sender = find_sender(given, account, service, policy)
    to = find_recipient(given["To"], policy)
    new = NewMessage(
        to=to,
        sender=sender,
        service=service,
        body=body,
        media_urls=media_urls,
        is_mms=bool(media_urls) or given.get("SendAsMms", "").lower() == "true",
        status_callback=find_status_callback(given),
        validity_seconds=find_validity(given),
        send_at=find_send_at(given, account.clock.now(), service),
    )
    if policy.magic_numbers:
        check_magic(sender=sender or "", to=to)
    else:
        check_pair(new, account, opt_outs)
    return new


def check_there_is_something(given: dict[str, str], body: str, media_urls: tuple[str, ...]) -> None:
    if not given.get("To"):
        raise Refusal(21604)
    if not (given.get("From") or given.get("MessagingServiceSid")):
        raise Refusal(21603)
    if given.get("ContentSid"):
        raise Refusal(21655)
    if not (body or media_urls):
        raise Refusal(21602)
    if len(body) > LONGEST_BODY:
        raise Refusal(21617)
    if len(media_urls) > MOST_MEDIA:
        raise Refusal(21623)
    if not all(is_web_address(url) for url in media_urls):
        raise Refusal(21620)


def find_service(given: dict[str, str], account: Account) -> MessagingService | None:
    sid = given.get("MessagingServiceSid") or given["From"]
    if not given.get("MessagingServiceSid") and not sid.startswith("MG"):
        return None
    if not MESSAGING_SERVICE_SID.fullmatch(sid):
        raise Refusal(21705)
    if sid not in account.services:
        raise Refusal(21701)
    if not account.services[sid].senders:
        raise Refusal(21704)
    return account.services[sid]


def find_sender(
    given: dict[str, str], account: Account, service: MessagingService | None, policy: Policy
) -> str | None:
    """The sender that is named; none leaves the choice to the service."""
    sender = given.get("From", "")
    if not sender or sender == (service.sid if service else None):
        return None
    if policy.magic_numbers:
        return sender
    kind = sender_kind(sender)
    if kind is SenderKind.CHANNEL or (kind is SenderKind.ALPHANUMERIC and not ALPHANUMERIC.fullmatch(sender)):
        raise Refusal(21212, sender=sender)
    if kind is not SenderKind.ALPHANUMERIC and sender not in account.numbers:
        raise Refusal(21606 if kind is SenderKind.SHORT_CODE or is_number(sender) else 21212, sender=sender)
    if service is not None and sender not in service.senders:
        raise Refusal(21711, sender=sender)
    return sender


def find_recipient(to: str, policy: Policy) -> str:
    if sender_kind(to) is SenderKind.SHORT_CODE:
        raise Refusal(21265, to=to)
    try:
        to = parse_e164(to)
    except NotAPhoneNumber:
        raise Refusal(21211, to=to) from None
    if policy.countries is not None and country_of(to) not in policy.countries:
        raise Refusal(21408, to=to)
    if policy.verified is not None and to not in policy.verified:
        raise Refusal(21608, to=to)
    if to in policy.landlines:
        raise Refusal(21614, to=to)
    return to


def find_status_callback(given: dict[str, str]) -> str | None:
    url = given.get("StatusCallback", "")
    if url and (not is_web_address(url) or "_" in (urlsplit(url).hostname or "")):
        raise Refusal(21609, url=url)
    return url or None


def find_validity(given: dict[str, str]) -> int:
    seconds = whole_number(given.get("ValidityPeriod") or "36000")
    if seconds is None or not 1 <= seconds <= 36_000:
        raise Refusal(21624)
    return seconds


def find_send_at(given: dict[str, str], now: datetime, service: MessagingService | None) -> datetime | None:
    schedule, written = given.get("ScheduleType", ""), given.get("SendAt", "")
    if not schedule and not written:
        return None
    if schedule != "fixed":
        raise Refusal(30400, why="ScheduleType must be 'fixed'")
    if not written:
        raise Refusal(35111)
    if service is None:
        raise Refusal(35118)
    try:
        send_at = datetime.fromisoformat(written)
    except ValueError:
        raise Refusal(35114) from None
    if send_at.tzinfo is None or not SOONEST <= send_at - now <= LATEST:
        raise Refusal(35114)
    return send_at


def check_pair(new: NewMessage, account: Account, opt_outs: OptOuts) -> None:
    """Whether this sender may text this phone. With a service, Twilio finds out after it has accepted."""
    if new.sender is None or new.service is not None:
        return
    if new.to == new.sender:
        raise Refusal(21266, to=new.to)
    if sender_kind(new.sender) is SenderKind.ALPHANUMERIC:
        if new.to.startswith("+1"):
            raise Refusal(21612, to=new.to, sender=new.sender)
        if new.is_mms:
            raise Refusal(21621, sender=new.sender)
        return
    if new.is_mms and not account.numbers[new.sender].can_mms:
        raise Refusal(21621, sender=new.sender)
    if opt_outs.blocks(new.to, new.sender, account.service_of(new.sender)):
        raise Refusal(21610)


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://["
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def is_number(address: str) -> bool:
    try:
        return parse_e164(address) == address
    except NotAPhoneNumber:
        return False
