"""What can go wrong with the database, in words an operator can act on."""

from sqlalchemy.exc import DBAPIError

from replyline.errors import ReplylineError


class DatabaseDown(ReplylineError):
    """The database does not answer; nothing was changed."""

    try_again = True


class DatabaseClosed(ReplylineError):
    """The database is closed; nothing more can be asked of it."""


class OutcomeUnknown(ReplylineError):
    """The connection broke during COMMIT, so the change may or may not have been made."""


class SchemaTooNew(ReplylineError):
    """The database was made by a newer Replyline than this one."""


class SchemaTooOld(ReplylineError):
    """The database has not been brought up to date."""


def plain(error: DBAPIError) -> str:
    """The driver's reason, its first line: what follows may quote a row."""
    return (str(error.orig).strip() or "no reason given").splitlines()[0]
