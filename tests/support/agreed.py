"""People who have agreed to everything."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert

from replyline.db.tables import consents
from replyline.plugins.programs import Tier
from replyline.rules.facts import Purpose


def agree(conn: Connection, line: str, phone: str, now: datetime, *, tier: Tier = Tier.EXPRESS_WRITTEN) -> None:
    """This person wants the line's notices and its advertising."""
    conn.execute(delete(consents).where(consents.c.line == line, consents.c.phone == phone))
    given = {"line": line, "phone": phone, "program": "", "tier": tier, "is_confirmed": True, "since": now}
    for purpose in (Purpose.TRANSACTIONAL, Purpose.MARKETING):
        conn.execute(insert(consents).values(given | {"purpose": purpose.value, "event_id": "cev_test"}))
