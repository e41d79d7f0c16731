"""Telling whoever waits that a commit has something for them."""

from sqlalchemy import Connection

CHANGE = "change"  # something a person may be watching has changed

_KEY = "replyline_wakes"


def wake(conn: Connection, topic: str) -> None:
    """Wake the listeners of a topic once this transaction has committed, here and (through NOTIFY) in others."""
    conn.info.setdefault(_KEY, set()).add(topic)


def take_wakes(conn: Connection) -> frozenset[str]:
    """The topics to wake, forgotten as they are read."""
    return frozenset(conn.info.pop(_KEY, ()))
