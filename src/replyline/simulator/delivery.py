"""An outbound message on its way: queued, sent, delivered, with a status callback at each step."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from replyline.conversations.segments import measure
from replyline.phone_numbers import SenderKind, sender_kind
from replyline.simulator.account import Account, Message, MessagingService, Status
from replyline.simulator.changes import Kind
from replyline.simulator.exchange import Exchange
from replyline.simulator.mishaps import WebhookFault

OPTED_OUT, NO_USABLE_SENDER, QUEUE_IS_FULL, EXPIRED = 21610, 21703, 30001, 30036
QUIET = {Status.ACCEPTED, Status.SCHEDULED}  # states a message begins in, which nobody is told


class Delivery:
    """Carries messages to phones in the background."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._last_callback: dict[str, asyncio.Task[None]] = {}

    def begin(self, message: Message) -> None:
        """Put a new message on its way."""
        self._exchange.announce(Kind.STATUS, message, message.status)
        # Who came first is first in the sender's queue: that is settled now, not when the task begins.
        turn = self._exchange.lanes.enter(message) if message.status is Status.QUEUED else None
        self._exchange.background.start(self._carry(message, turn))

    def move(self, message: Message, status: Status, **changes: Any) -> Message:
        """Move a message on, and tell its status callback."""
        message = self._exchange.account.change(message, status=status, **changes)
        self._exchange.announce(Kind.STATUS, message, status)
        url = callback_of(self._exchange.account, message)
        if url and status not in QUIET:
            self._tell(url, message)
        return message

    async def _carry(self, message: Message, turn: datetime | None) -> None:
        exchange = self._exchange
        if message.send_at is not None:
            await exchange.background.rest_until(message.send_at)
            scheduled = exchange.account.messages.get(message.sid)
            if scheduled is None or scheduled.status is not Status.SCHEDULED:
                return  # canceled
        queued_at = exchange.clock.now()
        if message.status is not Status.QUEUED:
            message = self._enqueue(message)
            turn = exchange.lanes.enter(message)
        if turn is not None:
            await self._wait_in_the_queue(turn, queued_at + timedelta(seconds=message.validity_seconds))
        problem = self._problem_with(message, queued_at) if turn is not None else QUEUE_IS_FULL
        if problem is not None:
            self.move(message, Status.FAILED, error_code=problem)
            return
        await self._send(message)

    async def _wait_in_the_queue(self, turn: datetime, until: datetime) -> None:
        exchange = self._exchange
        if turn > exchange.clock.now():
            await exchange.background.rest_until(min(turn, until + timedelta(microseconds=1)))
        await exchange.clock.sleep(exchange.times.until_sent)

    def _enqueue(self, message: Message) -> Message:
        service = self._exchange.account.services[message.messaging_service_sid or ""]
        sender = message.sender or choose_sender(service, message.to, self._exchange.account.sticky)
        segments = 1 if message.media else measure(message.body).segments
        if sender is None:
            return self._exchange.account.change(message)
        return self.move(message, Status.QUEUED, sender=sender, segments=segments)

    def _problem_with(self, message: Message, queued_at: datetime) -> int | None:
        exchange = self._exchange
        if message.sender is None:
            return NO_USABLE_SENDER
        service = exchange.account.services.get(message.messaging_service_sid or "")
        if exchange.opt_outs.blocks(message.to, message.sender, service or exchange.account.service_of(message.sender)):
            return OPTED_OUT
        waited = (exchange.clock.now() - queued_at).total_seconds()
        return EXPIRED if waited > message.validity_seconds else None

    async def _send(self, message: Message) -> None:
        exchange = self._exchange
        fate = exchange.faults.of_message(message)
        if fate.status is Status.FAILED:
            self.move(message, Status.FAILED, error_code=fate.error_code)
            return
        stays = {"error_code": fate.error_code} if fate.status is Status.SENT else {}
        message = self.move(message, Status.SENT, sent_at=exchange.clock.now(), **stays)
        if fate.status is Status.SENT:
            return
        await exchange.clock.sleep(exchange.times.until_delivered)
        if fate.status is Status.DELIVERED:
            media_urls = tuple(media.source_url or "" for media in message.media)
            exchange.show(
                message.to, sender=message.sender or "", body=message.body, media_urls=media_urls, sid=message.sid
            )
        self.move(message, fate.status, error_code=fate.error_code)

    def _tell(self, url: str, message: Message) -> None:
        """In order: each status waits until the one before it was told. One that is late keeps nobody waiting."""
        fields = status_fields(self._exchange.account, message)
        fault = self._exchange.fault_of(url, fields)
        before = None if fault.is_late else self._last_callback.get(message.sid)
        telling = self._exchange.background.start(self._call_back(url, message, fields, fault, before))
        if not fault.is_late:
            self._last_callback[message.sid] = telling

    async def _call_back(
        self,
        url: str,
        message: Message,
        fields: dict[str, str],
        fault: WebhookFault,
        before: asyncio.Task[None] | None,
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self._exchange.call(url, "POST", fields, kind=Kind.CALLBACK, message=message, fault=fault)
        if self._last_callback.get(message.sid) is asyncio.current_task():
            del self._last_callback[message.sid]


def callback_of(account: Account, message: Message) -> str | None:
    """The message's own callback, else its messaging service's."""
    service = account.services.get(message.messaging_service_sid or "")
    return message.status_callback or (service.status_callback if service else "") or None


def choose_sender(service: MessagingService, to: str, sticky: dict[tuple[str, str], str]) -> str | None:
    """The sender that has texted this phone before, else the pool's first that may text it."""
    can_text = [each for each in service.senders if sender_kind(each) is not SenderKind.ALPHANUMERIC or to[:2] != "+1"]
    if not can_text:
        return None
    return sticky.setdefault((service.sid, to), can_text[0])


def status_fields(account: Account, message: Message) -> dict[str, str]:
    """A status callback's form."""
    fields = {
        "ApiVersion": "2010-04-01",
        "MessageStatus": message.status.value,
        "SmsSid": message.sid,
        "SmsStatus": message.status.value,
        "To": message.to,
        "From": message.sender or "",
        "MessageSid": message.sid,
        "AccountSid": account.sid,
    }
    if message.messaging_service_sid:
        fields["MessagingServiceSid"] = message.messaging_service_sid
    if message.error_code is not None:
        fields["ErrorCode"] = str(message.error_code)
    if message.status in (Status.DELIVERED, Status.UNDELIVERED):
        fields["RawDlrDoneDate"] = message.updated_at.strftime("%y%m%d%H%M")
    return fields
