"""The JSON that Twilio answers, field by field."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from replyline.phone_numbers import SenderKind, country_of
from replyline.simulator.account import Account, Media, Message, MessagingService, Number
from replyline.twilio.errors import meaning_of

Json = dict[str, Any]


def message_json(account: Account, message: Message, price: str | None = None, currency: str = "USD") -> Json:
    path = account.message_path(message)
    return {
        "account_sid": account.sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": rfc_2822(message.created_at),
        "date_sent": rfc_2822(message.sent_at) if message.sent_at else None,
        "date_updated": rfc_2822(message.updated_at),
        "direction": message.direction.value,
        "error_code": message.error_code,
        "error_message": meaning_of(message.error_code).name if message.error_code else None,
        "from": message.sender,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": str(len(message.media)),
        "num_segments": str(message.segments),
        "price": price,
        "price_unit": currency,
        "sid": message.sid,
        "status": message.status.value,
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": message.to,
        "uri": f"{path}.json",
    }


def media_json(account: Account, message: Message, media: Media) -> Json:
    return {
        "sid": media.sid,
        "account_sid": account.sid,
        "parent_sid": message.sid,
        "content_type": media.content_type,
        "date_created": rfc_2822(media.created_at),
        "date_updated": rfc_2822(media.created_at),
        "uri": f"{account.media_path(message, media)}.json",
    }


def number_json(account: Account, number: Number) -> Json:
    return {
        "sid": number.sid,
        "account_sid": account.sid,
        "phone_number": number.address,
        "friendly_name": number.friendly_name or number.address,
        "sms_url": number.sms_url,
        "sms_method": number.sms_method,
        "sms_fallback_url": number.sms_fallback_url,
        "sms_fallback_method": number.sms_fallback_method,
        "sms_application_sid": "",
        "status_callback": number.status_callback,
        "status_callback_method": "POST",
        # Numbers have a voice side too, which this account leaves as it came.
        "voice_url": "",
        "voice_method": "POST",
        "voice_fallback_url": "",
        "voice_fallback_method": "POST",
        "voice_application_sid": None,
        "voice_caller_id_lookup": False,
        "voice_receive_mode": "voice",
        "emergency_status": "Inactive",
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "capabilities": {"voice": False, "sms": True, "mms": number.can_mms, "fax": False},
        "address_requirements": "none",
        "address_sid": None,
        "api_version": "2010-04-01",
        "beta": False,
        "bundle_sid": None,
        "identity_sid": None,
        "origin": "twilio",
        "status": "in-use",
        "type": "tollfree" if number.kind is SenderKind.TOLL_FREE else "local",
        "trunk_sid": None,
        "date_created": rfc_2822(number.created_at),
        "date_updated": rfc_2822(number.updated_at),
        "uri": f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers/{number.sid}.json",
    }


def sender_json(account: Account, service: MessagingService, number: Number, url: str) -> Json:
    """A sender in a messaging service's pool, without its address: of the messaging API, which writes times in ISO 8601."""
    return {
        "sid": number.sid,
        "account_sid": account.sid,
        "service_sid": service.sid,
        "date_created": iso_8601(number.created_at),
        "date_updated": iso_8601(number.updated_at),
        "country_code": country_of(number.address) or "US",
        "capabilities": ["MMS", "SMS"] if number.can_mms else ["SMS"],
        "url": url,
    }


def account_json(account: Account) -> Json:
    made = rfc_2822(account.created_at)
    return {
        "sid": account.sid,
        "owner_account_sid": account.sid,
        "friendly_name": "Simulated account",
        "status": "active",
        "type": "Full",
        "auth_token": None,
        "date_created": made,
        "date_updated": made,
        "subresource_uris": {"messages": f"/2010-04-01/Accounts/{account.sid}/Messages.json"},
        "uri": f"/2010-04-01/Accounts/{account.sid}.json",
    }


def balance_json(account: Account) -> Json:
    return {"account_sid": account.sid, "balance": "100.00", "currency": "USD"}


def refusal_json(code: int, status: int, sentence: str) -> Json:
    return {
        "code": code,
        "message": sentence,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }


def rfc_2822(at: datetime) -> str:
    return format_datetime(at)


def iso_8601(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
