"""What each REST path does: messages, their media, the account's numbers and its balance."""

import secrets
from dataclasses import replace
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from replyline.conversations.segments import measure
from replyline.simulator.account import IN_PROGRESS, Direction, Media, Message, Number, Status
from replyline.simulator.answers import (
    Json,
    account_json,
    balance_json,
    media_json,
    message_json,
    number_json,
    sender_json,
)
from replyline.simulator.billing import usage_page
from replyline.simulator.delivery import Delivery
from replyline.simulator.exchange import Exchange
from replyline.simulator.inbound import guessed_type
from replyline.simulator.new_message import NewMessage, read_new_message
from replyline.simulator.pages import matching_messages, page_of, v1_page
from replyline.simulator.refusals import Refusal
from replyline.simulator.rest import Asked, RestApi

Record = TypeVar("Record")
ACCOUNT = "/2010-04-01/Accounts/{account}"
USAGE_DATES = (("StartDate", "1970-01-01"), ("EndDate", "9999-12-31"))
NUMBER_SETTINGS = {
    "FriendlyName": "friendly_name",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "StatusCallback": "status_callback",
}


class Resources:
    """Answers REST requests from the account's state."""

    def __init__(self, exchange: Exchange, delivery: Delivery) -> None:
        self._exchange, self._delivery = exchange, delivery
        self._account = exchange.account
        self._billing = exchange.billing
        self._media_links: dict[str, tuple[Media, datetime]] = {}

    def routes(self, api: RestApi) -> list[Route]:
        message = ACCOUNT + "/Messages/{message}"
        return [
            api.route(ACCOUNT + "/Messages.json", is_for_tests=True, GET=self.list_messages, POST=self.create_message),
            api.route(message + ".json", GET=self.fetch_message, POST=self.update_message, DELETE=self.delete_message),
            api.route(message + "/Media.json", GET=self.list_media),
            api.route(message + "/Media/{media}.json", GET=self.fetch_media, DELETE=self.delete_media),
            api.route(message + "/Media/{media}", GET=self.redirect_to_content, DELETE=self.delete_media),
            api.route("/media/{link}", is_public=True, GET=self.content),
            api.route(ACCOUNT + "/IncomingPhoneNumbers.json", GET=self.list_numbers),
            api.route(ACCOUNT + "/IncomingPhoneNumbers/{number}.json", GET=self.fetch_number, POST=self.update_number),
            api.route("/v1/Services/{service}/PhoneNumbers", GET=lambda asked: self.list_pool(asked, "phone_number")),
            api.route("/v1/Services/{service}/ShortCodes", GET=lambda asked: self.list_pool(asked, "short_code")),
            api.route(ACCOUNT + "/Usage/Records/Daily.json", GET=self.list_usage),
            api.route("/v1/Messaging/Countries/{country}", GET=self.fetch_prices),
            api.route(ACCOUNT + ".json", GET=lambda _: JSONResponse(account_json(self._account))),
            api.route(ACCOUNT + "/Balance.json", GET=lambda _: JSONResponse(balance_json(self._account))),
        ]

    def _json(self, message: Message) -> Json:
        return message_json(self._account, message, self._billing.price_of(message), self._billing.currency)

    def create_message(self, asked: Asked) -> Response:
        new = read_new_message(asked.fields, self._account, self._exchange.opt_outs, self._exchange.policy)
        self._check_queue(new)
        message = self._add(new)
        answer = JSONResponse(self._json(message), 201)
        if self._exchange.policy.magic_numbers:
            del self._account.messages[message.sid]  # test credentials send nothing and keep nothing
        else:
            self._delivery.begin(message)
        return answer

    def _check_queue(self, new: NewMessage) -> None:
        """A full queue is told at once to who names the sender; with a service, the message fails later."""
        if new.sender is None or new.service is not None:
            return
        segments = 1 if new.is_mms else measure(new.body).segments
        if not self._exchange.lanes.has_room(sender=new.sender, to=new.to, segments=segments, is_mms=new.is_mms):
            raise Refusal(21611)

    def _add(self, new: NewMessage) -> Message:
        status = Status.SCHEDULED if new.send_at else Status.ACCEPTED if new.service else Status.QUEUED
        media = tuple(self._account.new_media(guessed_type(url), source_url=url) for url in new.media_urls)
        segments = 0 if new.service else 1 if new.is_mms else measure(new.body).segments
        return self._account.add_message(
            is_mms=new.is_mms,
            direction=Direction.API,
            sender=new.sender,
            to=new.to,
            body=new.body,
            status=status,
            segments=segments,
            media=media,
            messaging_service_sid=new.service.sid if new.service else None,
            status_callback=new.status_callback,
            validity_seconds=new.validity_seconds,
            send_at=new.send_at,
        )

    def list_messages(self, asked: Asked) -> Response:
        if self._exchange.policy.magic_numbers:
            raise Refusal(20008)
        found = {message.sid: message for message in matching_messages(self._account, asked.query)}
        page = page_of(list(found), self._account.order, path=asked.path, query=asked.query)
        messages = [self._json(found[sid]) for sid in page.sids]
        return JSONResponse({"messages": messages} | page.links)

    def fetch_message(self, asked: Asked) -> Response:
        return JSONResponse(self._json(self._message(asked)))

    def update_message(self, asked: Asked) -> Response:
        message = self._message(asked)
        if "Status" in asked.form:
            message = self._cancel(message, asked.form["Status"])
        if "Body" in asked.form:
            message = self._redact(message, asked.form["Body"])
        return JSONResponse(self._json(message))

    def _cancel(self, message: Message, status: str) -> Message:
        if status != Status.CANCELED:
            raise Refusal(30400, why="Status can only be set to 'canceled'")
        if message.status is not Status.SCHEDULED:
            raise Refusal(30409)
        return self._delivery.move(message, Status.CANCELED)

    def _redact(self, message: Message, body: str) -> Message:
        if body:
            raise Refusal(30400, why="Body can only be made empty")
        if message.status in IN_PROGRESS:
            raise Refusal(20009)
        return self._account.change(message, body="")

    def delete_message(self, asked: Asked) -> Response:
        message = self._message(asked)
        if message.status in IN_PROGRESS:
            raise Refusal(20009)
        del self._account.messages[message.sid]
        return Response(status_code=204)

    def list_media(self, asked: Asked) -> Response:
        message = self._message(asked)
        found = {media.sid: media for media in message.media}
        order = {sid: -place for place, sid in enumerate(found)}
        page = page_of(list(found), order, path=asked.path, query=asked.query)
        media_list = [media_json(self._account, message, found[sid]) for sid in page.sids]
        return JSONResponse({"media_list": media_list} | page.links)

    def fetch_media(self, asked: Asked) -> Response:
        return JSONResponse(media_json(self._account, self._message(asked), self._media(asked)))

    def delete_media(self, asked: Asked) -> Response:
        message, media = self._message(asked), self._media(asked)
        self._account.change(message, media=tuple(each for each in message.media if each.sid != media.sid))
        return Response(status_code=204)

    def redirect_to_content(self, asked: Asked) -> Response:
        """The media itself is elsewhere, for a while, and without credentials."""
        media = self._media(asked)
        if media.source_url is not None:
            return RedirectResponse(media.source_url, 307)
        link = secrets.token_hex(16)
        lasts = timedelta(seconds=self._exchange.policy.media_link_lasts)
        self._media_links[link] = (media, self._exchange.clock.now() + lasts)
        return RedirectResponse(f"{asked.base_url}/media/{link}", 307)

    def content(self, asked: Asked) -> Response:
        media, until = self._media_links.get(asked.names["link"], (None, self._exchange.clock.now()))
        if media is None or self._exchange.clock.now() >= until:
            return Response("AccessDenied", 403, media_type="application/xml")
        return Response(media.content, media_type=media.content_type)

    def list_numbers(self, asked: Asked) -> Response:
        numbers = {number.sid: number for number in self._account.numbers.values() if number.sid.startswith("PN")}
        wanted, name = asked.query.get("PhoneNumber", "*"), asked.query.get("FriendlyName")
        sids = [
            sid
            for sid, number in numbers.items()
            if fnmatchcase(number.address, wanted) and name in (None, number.friendly_name or number.address)
        ]
        page = page_of(sids, {sid: -place for place, sid in enumerate(numbers)}, path=asked.path, query=asked.query)
        listed = [number_json(self._account, numbers[sid]) for sid in page.sids]
        return JSONResponse({"incoming_phone_numbers": listed} | page.links)

    def list_pool(self, asked: Asked, kind: str) -> Response:
        """The senders of a messaging service: of the messaging API, whose lists have another form."""
        service = found_or_404(self._account.services.get(asked.names["service"]), asked)
        wanted = "SC" if kind == "short_code" else "PN"
        pool = [self._account.numbers[each] for each in service.senders if each in self._account.numbers]
        url = f"{asked.base_url}{asked.path}"
        listed = [
            sender_json(self._account, service, each, f"{url}/{each.sid}") | {kind: each.address}
            for each in pool
            if each.sid.startswith(wanted)
        ]
        return JSONResponse(v1_page(f"{kind}s", listed, url))

    def list_usage(self, asked: Asked) -> Response:
        """What was billed on each day. Without dates it is all there is."""
        since, until = (asked.query.get(name, default) for name, default in USAGE_DATES)
        try:
            first, last = date.fromisoformat(since), date.fromisoformat(until)
        except ValueError:
            raise Refusal(30400, why="a date is YYYY-MM-DD") from None
        category = asked.query.get("Category")
        records = [each for each in self._billing.usage(first, last) if category in (None, each["category"])]
        return JSONResponse(usage_page(records, asked.path, asked.query))

    def fetch_prices(self, asked: Asked) -> Response:
        """Of the Pricing API."""
        return JSONResponse(found_or_404(self._billing.country_json(asked.names["country"].upper()), asked))

    def fetch_number(self, asked: Asked) -> Response:
        return JSONResponse(number_json(self._account, self._number(asked)))

    def update_number(self, asked: Asked) -> Response:
        changes: dict[str, Any] = {
            setting: asked.form[field] for field, setting in NUMBER_SETTINGS.items() if field in asked.form
        }
        number = replace(self._number(asked), updated_at=self._exchange.clock.now(), **changes)
        if number.sms_fallback_url and not number.sms_url:
            raise Refusal(21406)
        self._account.numbers[number.address] = number
        return JSONResponse(number_json(self._account, number))

    def _message(self, asked: Asked) -> Message:
        return found_or_404(self._account.messages.get(asked.names["message"]), asked)

    def _media(self, asked: Asked) -> Media:
        found = (media for media in self._message(asked).media if media.sid == asked.names["media"])
        return found_or_404(next(found, None), asked)

    def _number(self, asked: Asked) -> Number:
        found = (number for number in self._account.numbers.values() if number.sid == asked.names["number"])
        return found_or_404(next(found, None), asked)


def found_or_404(record: Record | None, asked: Asked) -> Record:
    if record is None:
        raise Refusal(20404, path=asked.path)
    return record
