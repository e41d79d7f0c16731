"""An opt-out that a person of the business was told: by phone, by e-mail, at the desk. It counts like STOP."""

from datetime import datetime

from sqlalchemy import Connection

from replyline.outbound.queue import cancel_queued
from replyline.rules import consent
from replyline.rules.facts import Scope


def stop_texting(conn: Connection, line: str, phone: str, *, scope: str, by: str, how: str, now: datetime) -> None:
    """Write it down and cancel what is queued; a text of another purpose is judged when it leaves."""
    whose = consent.Whose(line=line, phone=phone)
    consent.opt_out(conn, whose, now=now, source="person", scope=Scope(scope), proof={"by": by, "how": how})
    if scope == Scope.ALL:
        cancel_queued(conn, line=line, phone=phone, now=now, why="they opted out")
