"""The people of the tests. Ana opted in and talks to the gym, Bruno opted out, Cleo is a stranger."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from replyline.conversations.text import InboundText
from replyline.inbound.receive import Arrival
from replyline.plugins.line import Line
from replyline.rules.keywords import NO_MORE, Words

ANA = "+12125550101"
BRUNO = "+12125550102"
CLEO = "+12125550103"
GYM_NUMBER = "+14155550100"
MONDAY = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)

_sids = count(1)


def a_line(**given: Any) -> Line:
    """A gym without plugins, which everybody knows already."""
    words = {"name": "Gym", "instructions": "You answer for a gym.", "timezone": "America/Los_Angeles"}
    return Line(**words | {"introduces": False} | given)


def a_sid() -> str:
    return f"SM{next(_sids):032x}"


def a_text(body: str, *, phone: str = ANA, at: datetime = MONDAY, **given: Any) -> InboundText:
    """What Twilio's webhook says of a text from a phone."""
    return InboundText(
        **{"sid": a_sid(), "phone": phone, "our_address": GYM_NUMBER, "body": body, "received_at": at} | given
    )


def an_arrival(
    body: str, *, line: Line | None = None, words: Words = NO_MORE, secret: bytes = b"", **given: Any
) -> Arrival:
    return Arrival(line=line or a_line(), text=a_text(body, **given), words=words, secret=secret)
