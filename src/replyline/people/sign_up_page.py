"""Where the business's web form sends its sign-ups: `POST /api/v1/sign-ups`, signed with a secret that both know.

The header `X-Replyline-Signature: t=SECONDS,v1=HEX` holds the time since 1970 and the HMAC-SHA-256 of "SECONDS.BODY".
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from replyline.characters import storable
from replyline.clock import Clock
from replyline.db import Db
from replyline.inbound.limits import PerAddress, body_of
from replyline.log import get_log
from replyline.outbound.queue import UnsendableText
from replyline.people.sign_up import BadSignUp, SignedUp, SignUp, sign_up
from replyline.phone_numbers import NotAPhoneNumber, parse_e164
from replyline.plugins.line import Line
from replyline.plugins.programs import Tier
from replyline.plugins.senders import Sender
from replyline.rules.consent import OptedOut
from replyline.rules.facts import Purpose

log = get_log(__name__)

PATH = "/api/v1/sign-ups"
HEADER = "X-Replyline-Signature"
LARGEST_BODY = 64 * 1024  # bytes
LASTS = 300  # seconds that a signature is good for, either way: clocks differ
SIGNED = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")

Short = Annotated[str, StringConstraints(max_length=200)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class Form(BaseModel):
    """What the form sends. All of it but the first five is kept as the proof (compliance.md §7)."""

    model_config = ConfigDict(extra="forbid")

    phone: Word
    purpose: Literal["marketing", "transactional"]
    program: Short = ""
    tier: Literal["express", "express_written"] = "express_written"
    submission: Word  # the form's own id of it: sent twice, it counts once
    disclosure: Words  # the words they were shown, as they were shown
    page_url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    action: Word  # what they did: "checkbox ticked"
    ip: Word
    user_agent: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    disclosure_version: Short = ""
    language: Short = ""
    form_id: Short = ""
    name: Short = ""  # who they said they are


OF_THE_PERSON = {"phone", "purpose", "program", "tier", "submission"}


class SignUpPage:
    """Takes sign-ups. Without a secret nobody can make one."""

    def __init__(self, *, line: Line, senders: Sequence[Sender], db: Db, clock: Clock, secret: str | None) -> None:
        self._line, self._senders, self._db, self._clock = line, senders, db, clock
        self._secret = secret.encode() if secret else None
        self._limit = PerAddress()

    async def answer(self, request: Request) -> Response:
        if self._secret is None:
            return no(404, "Nobody can sign up here until REPLYLINE_SIGN_UP_SECRET is set.")
        try:
            body = await body_of(request, LARGEST_BODY)
        except ClientDisconnect:  # nobody hears the answer; the form sends it again
            return no(400, "The sign-up ended before it was complete.")
        if body is None:
            return no(413, f"A sign-up has at most {LARGEST_BODY} bytes.")
        if not is_signed(self._secret, body, request.headers.get(HEADER, ""), self._clock.now().timestamp()):
            address = request.client.host if request.client else "unknown"
            if not self._limit.allows(address):
                return no(429, "Too many unsigned requests from this address.")
            log.warning("sign_up_unsigned")
            return no(403, f"The signature in {HEADER} does not match this body, or is over five minutes old.")
        try:
            given = as_sign_up(Form.model_validate_json(body), self._line)
            signed_up = await self._db.run(sign_up, self._line, self._senders, given, self._clock.now())
        except ValidationError as error:
            return no(422, in_one_sentence(error))
        except NotAPhoneNumber as error:
            return no(422, str(error) or "That is not a phone number.")
        except (BadSignUp, UnsendableText) as error:
            return no(422, str(error))
        except OptedOut as error:
            return no(409, str(error))
        log.info("signed_up", consent=signed_up.event_id, text=signed_up.text_id, is_new=signed_up.is_new)
        return JSONResponse(as_json(signed_up), status_code=201 if signed_up.is_new else 200)


def is_signed(secret: bytes, body: bytes, header: str, now: float) -> bool:
    """Whether whoever knows the secret signed this body within the last five minutes."""
    if not (found := SIGNED.fullmatch(header)):
        return False
    at, signature = found.groups()
    return hmac.compare_digest(signature_of(secret, body, int(at)), signature) and abs(now - int(at)) <= LASTS


def signature_of(secret: bytes, body: bytes, at: int) -> str:
    return hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def as_sign_up(form: Form, line: Line) -> SignUp:
    kept = form.model_dump(exclude=OF_THE_PERSON)
    return SignUp(
        phone=parse_e164(form.phone, line.countries[0] if line.countries else None),
        purpose=Purpose(form.purpose),
        tier=Tier(form.tier),
        source="web_form",
        program=form.program,
        submission=storable(form.submission),  # as it is kept, so that it is known when it comes again
        proof={name: storable(value) for name, value in kept.items() if value},
    )


def as_json(signed_up: SignedUp) -> dict[str, object]:
    return {
        "event": signed_up.event_id,
        "text": signed_up.text_id,
        "waits_for_answer": signed_up.waits_for_answer,
    }


def no(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)


def in_one_sentence(error: ValidationError) -> str:
    """The first thing that is wrong with a form, without what it holds."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(each) for each in first["loc"]) or "the body"
    return f"The sign-up cannot be read: {where}: {first['msg']}."
