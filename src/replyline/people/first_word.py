"""A person of the business texts somebody first, and says how that was agreed to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from replyline.errors import ReplylineError
from replyline.outbound.say import say_first
from replyline.plugins.programs import Tier
from replyline.rules.consent import OptIn, Whose, opt_in
from replyline.rules.facts import Purpose


class NotBySaying(ReplylineError):
    """Advertising takes more than somebody's word."""


def say_with_consent(conn: Connection, /, proof: Mapping[str, str] | None, **text: Any) -> str:
    """`say_first`, with the consent to it written down in the same transaction when there is any to write down."""
    if proof is not None:
        keep_consent(conn, proof, line=text["line"], phone=text["phone"], purpose=text["purpose"], now=text["now"],
                     program=text.get("program", ""))  # fmt: skip
    return say_first(conn, **text)


def keep_consent(
    conn: Connection, proof: Mapping[str, str], *, line: str, phone: str, purpose: Purpose, now: datetime, program: str
) -> None:
    if purpose is Purpose.MARKETING:
        raise NotBySaying(
            "Advertising takes written consent: write it down with `replyline consent give PHONE --purpose marketing "
            "--tier express_written --how ...` first."
        )
    given = OptIn(purpose=purpose, tier=Tier.EXPRESS, source="person", program=program, proof=proof)
    opt_in(conn, Whose(line=line, phone=phone), given, now=now)
