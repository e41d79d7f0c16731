"""A text reaches Twilio: its own list is heeded, our server is called, and its answer is done."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from replyline.conversations.segments import measure
from replyline.phone_numbers import country_of
from replyline.simulator.account import Direction, Message, MessagingService, Number, Status
from replyline.simulator.changes import Kind
from replyline.simulator.delivery import Delivery
from replyline.simulator.exchange import Exchange
from replyline.simulator.opt_outs import Heeded, Keyword
from replyline.simulator.twiml import WRONG_VERB, Reply, TwimlFailed, read_twiml
from replyline.simulator.webhooks import Answer

MOST_DOCUMENTS = 50
TOO_MANY_DOCUMENTS, NOT_OUR_SENDER = 14106, 14102


class Inbound:
    """Takes texts from phones."""

    def __init__(self, exchange: Exchange, delivery: Delivery) -> None:
        self._exchange, self._delivery = exchange, delivery

    async def take(self, phone: str, number: Number, body: str, media: Sequence[tuple[str, bytes]]) -> str:
        """Take one text, and call our server about it. Gives its SID once our server has answered."""
        exchange = self._exchange
        service = exchange.account.service_of(number.address)
        message = self._record(phone, number, service, body, media)
        heeded = exchange.opt_outs.heed(phone, number, service, body)
        if heeded is not None:
            self._answer_keyword(message, heeded)
        urls = urls_of(number, service)
        if urls[0][0]:
            await self._ask_our_server(message, urls, inbound_fields(exchange, message, heeded))
        elif service is not None:
            # A service without a webhook does not even log what it gets.
            del exchange.account.messages[message.sid]
        return message.sid

    def _record(
        self,
        phone: str,
        number: Number,
        service: MessagingService | None,
        body: str,
        media: Sequence[tuple[str, bytes]],
    ) -> Message:
        account = self._exchange.account
        message = account.add_message(
            is_mms=bool(media),
            direction=Direction.INBOUND,
            sender=phone,
            to=number.address,
            body=body,
            status=Status.RECEIVED,
            sent_at=self._exchange.clock.now(),
            segments=1 if media else measure(body).segments,
            media=tuple(account.new_media(content_type, content=content) for content_type, content in media),
            messaging_service_sid=service.sid if service else None,
        )
        self._exchange.announce(Kind.RECEIVED, message, message.status)
        return message

    def _answer_keyword(self, message: Message, heeded: Heeded) -> None:
        assert message.sender is not None
        if heeded.has_changed:
            kind = Kind.OPTED_OUT if heeded.keyword is Keyword.STOP else Kind.OPTED_IN
            self._exchange.announce(kind, message, heeded.keyword)
        if heeded.answer is not None:
            self._exchange.tell(
                Kind.AUTOMATIC_ANSWER, sid=None, sender=message.to, to=message.sender, status=heeded.keyword
            )
            self._exchange.show(message.sender, sender=message.to, body=heeded.answer, sid=None)

    async def _ask_our_server(
        self, message: Message, urls: tuple[tuple[str, str], tuple[str, str]], fields: dict[str, str]
    ) -> None:
        (url, method), (fallback_url, fallback_method) = urls
        problem = await self._ask(message, url, method, fields)
        if problem is not None and fallback_url:
            failed = {"ErrorCode": str(problem), "ErrorUrl": url.partition("#")[0]}
            await self._ask(message, fallback_url, fallback_method, fields | failed)

    async def _ask(self, message: Message, url: str, method: str, fields: dict[str, str]) -> int | None:
        """Call our server and do what it answers; an error code when that cannot be done."""
        for _ in range(MOST_DOCUMENTS):
            fault = self._exchange.fault_of(url, fields)
            answer = await self._exchange.call(url, method, fields, kind=Kind.WEBHOOK, message=message, fault=fault)
            if answer.error_code is not None:
                return answer.error_code
            try:
                document = read_twiml(answer)
                senders = [self._sender_of(message, reply) for reply in document.replies]
            except TwimlFailed as failed:
                self._exchange.alert(failed.code, url=answer.url, message=message)
                return failed.code
            self._reply(message, answer, list(zip(document.replies, senders, strict=True)))
            if document.has_wrong_verb:
                self._exchange.alert(WRONG_VERB, url=answer.url, message=message)
            if document.redirect is None:
                return None
            url, method = document.redirect
        self._exchange.alert(TOO_MANY_DOCUMENTS, url=url, message=message)
        return TOO_MANY_DOCUMENTS

    def _sender_of(self, message: Message, reply: Reply) -> str:
        sender = reply.sender or message.to
        if sender not in self._exchange.account.numbers:
            raise TwimlFailed(NOT_OUR_SENDER)
        return sender

    def _reply(self, message: Message, answer: Answer, replies: list[tuple[Reply, str]]) -> None:
        account = self._exchange.account
        for reply, sender in replies:
            media = tuple(account.new_media(guessed_type(url), source_url=url) for url in reply.media_urls)
            made = account.add_message(
                is_mms=bool(media),
                direction=Direction.REPLY,
                sender=sender,
                to=reply.to or message.sender,
                body=reply.body,
                status=Status.QUEUED,
                segments=1 if media else measure(reply.body).segments,
                media=media,
                status_callback=reply.status_callback,
            )
            self._delivery.begin(made)


def urls_of(number: Number, service: MessagingService | None) -> tuple[tuple[str, str], tuple[str, str]]:
    """What is called about a text to a number, and what when that fails."""
    if service is not None and not service.use_inbound_webhook_on_number and service.inbound_request_url:
        return (service.inbound_request_url, service.inbound_method), (service.fallback_url, service.fallback_method)
    return (number.sms_url, number.sms_method), (number.sms_fallback_url, number.sms_fallback_method)


def inbound_fields(exchange: Exchange, message: Message, heeded: Heeded | None) -> dict[str, str]:
    """An inbound webhook's form: what Twilio really sends, blank places included."""
    fields = {
        "ToCountry": country_of(message.to) or "",
        "ToState": "",
        "SmsMessageSid": message.sid,
        "NumMedia": str(len(message.media)),
        "ToCity": "",
        "FromZip": "",
        "SmsSid": message.sid,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": message.body,
        "FromCountry": country_of(message.sender or "") or "",
        "To": message.to,
        "ToZip": "",
        "NumSegments": str(message.segments),
        "MessageSid": message.sid,
        "AccountSid": exchange.account.sid,
        "From": message.sender or "",
        "ApiVersion": "2010-04-01",
    }
    if message.messaging_service_sid:
        fields["MessagingServiceSid"] = message.messaging_service_sid
    if heeded is not None and heeded.opt_out_type:
        fields["OptOutType"] = heeded.opt_out_type
    for n, media in enumerate(message.media):
        fields[f"MediaContentType{n}"] = media.content_type
        fields[f"MediaUrl{n}"] = exchange.url + exchange.account.media_path(message, media)
    return fields


def guessed_type(url: str) -> str:
    """The content type of an outbound picture, by its name: the simulator does not fetch it."""
    ending = urlsplit(url).path.rpartition(".")[2].lower()
    return {"png": "image/png", "gif": "image/gif", "mp4": "video/mp4", "pdf": "application/pdf"}.get(
        ending, "image/jpeg"
    )
