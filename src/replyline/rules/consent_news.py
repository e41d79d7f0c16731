"""What Twilio's Consent API is to hear of, where a line has it so: the ledger is read on from where it was read to."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from replyline.db.tables import consent_syncs
from replyline.work import arm

KIND = "consent_push"


def tell_later(conn: Connection, line: str, now: datetime) -> None:
    """Have Twilio told of what is new in a line's ledger, if it is told at all."""
    if conn.execute(IS_TOLD, {"of_line": line}).first() is not None:
        arm(conn, kind=KIND, key=line, due=now, now=now)


IS_TOLD = select(consent_syncs.c.line).where(consent_syncs.c.line == bindparam("of_line"))
