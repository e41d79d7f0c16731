"""Webhooks as Twilio sends them: nineteen fields, each signed, each of another MessageSid."""

import os
from collections.abc import Sequence
from urllib.parse import quote_plus

from replyline.twilio.signature import sign

PUBLIC_URL = "https://sms.example.com"
PATH = "/webhooks/twilio/sms"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT_SID = "AC" + "0" * 32
OUR_NUMBER = "+14155550100"
PHONES = [f"+1212{5_550_000 + n}" for n in range(10_100)]
BODY = "Can I come to yoga tomorrow at 6pm?"


def signed_requests(how_many: int, phones: Sequence[str] = PHONES[:1000]) -> list[bytes]:
    """HTTP requests that are ready to be written to a socket; the phones take turns."""
    return [one_request(f"SM{os.urandom(16).hex()}", phones[n % len(phones)]) for n in range(how_many)]


def one_request(sid: str, phone: str) -> bytes:
    fields = {
        "ToCountry": "US", "ToState": "CA", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "SAN FRANCISCO",
        "FromZip": "10001", "SmsSid": sid, "FromState": "NY", "SmsStatus": "received", "FromCity": "NEW YORK",
        "Body": BODY, "FromCountry": "US", "To": OUR_NUMBER, "ToZip": "", "NumSegments": "1", "MessageSid": sid,
        "AccountSid": ACCOUNT_SID, "From": phone, "ApiVersion": "2010-04-01",
    }  # fmt: skip
    form = "&".join([f"{name}={quote_plus(value)}" for name, value in fields.items()])
    return (
        f"POST {PATH} HTTP/1.1\r\n"
        "Host: sms.example.com\r\n"
        "User-Agent: TwilioProxy/1.1\r\n"
        "Accept: */*\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"Content-Length: {len(form)}\r\n"
        f"X-Twilio-Signature: {sign(AUTH_TOKEN, PUBLIC_URL + PATH, fields.items())}\r\n"
        "I-Twilio-Idempotency-Token: 5f5ba3f6-7e0e-4b2b-9d0a-0a4f4d0f8a55\r\n"
        "\r\n"
        f"{form}"
    ).encode()
