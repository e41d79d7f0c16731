"""Somebody signs up for texts: on a web form, or at the desk. What they were shown is kept (compliance.md §5.1, §7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from replyline.db.tables import consent_events
from replyline.errors import ReplylineError
from replyline.outbound import wordings
from replyline.outbound.say import say_first
from replyline.plugins.line import Line
from replyline.plugins.programs import Tier
from replyline.plugins.senders import Sender
from replyline.rules import ledger
from replyline.rules.consent import OptIn, Whose, opt_in
from replyline.rules.facts import Purpose
from replyline.rules.needs import need_of


class BadSignUp(ReplylineError):
    """A sign-up cannot be taken, and why. Nothing was kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignUp:
    """What somebody signs up for, and the proof of it."""

    phone: str  # E.164
    purpose: Purpose
    tier: Tier
    source: str  # web_form, person
    program: str = ""
    submission: str = ""  # the form's own id: the same one again is the same sign-up
    proof: Mapping[str, str] = field(default_factory=dict)
    is_welcomed: bool = True  # by a text, where they are not asked one; who stands at the desk needs none


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedUp:
    """What became of it."""

    event_id: str  # where the ledger has it
    text_id: str | None  # the question or the welcome that is on its way, if there is one
    waits_for_answer: bool  # it counts once they have answered our question
    is_new: bool = True


def sign_up(conn: Connection, line: Line, senders: Sequence[Sender], given: SignUp, now: datetime) -> SignedUp:
    """Write the consent down and text the question, or the welcome where none is needed, in one transaction.

    Raises `BadSignUp`, `OptedOut` or `UnsendableText`.
    """
    if given.purpose not in {Purpose.MARKETING, Purpose.TRANSACTIONAL}:
        raise BadSignUp("People sign up for marketing or transactional texts; write one of these as the purpose.")
    if given.program and line.program(given.program) is None:
        raise BadSignUp(f"The line {line.key} has no program {given.program!r}.")
    need = need_of(line, given.purpose, given.program)
    if not given.tier.covers(need.tier):
        raise BadSignUp(
            f"These texts take {need.tier.replace('_', ' ')} consent, and {given.tier.replace('_', ' ')} is less."
        )
    ledger.lock_end(conn, line.key)  # the same submission at the same moment waits here
    if before := said_before(conn, line, given):
        return SignedUp(event_id=before, text_id=None, waits_for_answer=need.double_opt_in, is_new=False)
    proof = {**given.proof, **({"submission": given.submission} if given.submission else {})}
    agreed = OptIn(purpose=given.purpose, tier=given.tier, source=given.source, program=given.program, proof=proof)
    event_id = opt_in(conn, Whose(line=line.key, phone=given.phone), agreed, now=now)
    if not need.double_opt_in and not given.is_welcomed:
        return SignedUp(event_id=event_id, text_id=None, waits_for_answer=False)
    say = wordings.question if need.double_opt_in else wordings.welcome
    text_id = say_first(
        conn,
        senders=senders,
        line=line.key,
        phone=given.phone,
        body=say(line, given.program, is_marketing=given.purpose is Purpose.MARKETING),
        purpose=Purpose.OPT_IN,
        program=given.program,
        now=now,
    )
    return SignedUp(event_id=event_id, text_id=text_id, waits_for_answer=need.double_opt_in)


def said_before(conn: Connection, line: Line, given: SignUp) -> str | None:
    """The event of this very submission, when the form has sent it before."""
    if not given.submission:
        return None
    theirs = {"of_line": line.key, "of_phone": given.phone, "for_purpose": given.purpose.value}
    for row in conn.execute(LATEST, theirs | {"of_program": given.program or None}):
        if (row.proof or {}).get("submission") == given.submission:
            return row.id  # type: ignore[no-any-return]
    return None


LATEST = (
    select(consent_events.c.id, consent_events.c.proof)
    .where(
        consent_events.c.line == bindparam("of_line"),
        consent_events.c.phone == bindparam("of_phone"),
        consent_events.c.scope == bindparam("for_purpose"),
        consent_events.c.program.is_not_distinct_from(bindparam("of_program")),
        consent_events.c.kind == "opt_in",
    )
    .order_by(consent_events.c.position.desc())
    .limit(20)
)
