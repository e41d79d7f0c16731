"""Connection, tables, migrations: the one way to touch the database."""

from replyline.db.database import Conn, Db, open_db
from replyline.db.errors import DatabaseClosed, DatabaseDown, OutcomeUnknown, SchemaTooNew, SchemaTooOld
from replyline.db.ids import first_id, new_id
from replyline.db.wake import CHANGE, wake

__all__ = [
    "CHANGE",
    "Conn",
    "DatabaseClosed",
    "DatabaseDown",
    "Db",
    "OutcomeUnknown",
    "SchemaTooNew",
    "SchemaTooOld",
    "first_id",
    "new_id",
    "open_db",
    "wake",
]
