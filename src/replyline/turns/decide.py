"""A person of the business decides what an action has asked, and the turn goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.db.columns import AnyRow
from replyline.errors import ReplylineError
from replyline.turns import statements as sql
from replyline.turns.schedule import KIND
from replyline.work import arm


class NothingToDecide(ReplylineError):
    """No action waits for a decision under that id."""


def decide(conn: Connection, step_id: str, *, approved: bool, by: str, now: datetime) -> None:
    """A person's decision about a paused action: the turn goes on with it. Raises `NothingToDecide`."""
    verdict = f"{'yes' if approved else 'no'}:{by}"
    row = conn.execute(sql.DECIDE, {"step_id": step_id, "verdict": verdict}).first()
    if row is None:
        raise NothingToDecide(
            f"No action waits for a decision under {step_id}; `replyline decisions` lists those that do."
        )
    turn = conn.execute(sql.REOPEN_TURN, {"turn": row.turn_id, "deadline": now + timedelta(seconds=60)}).one()
    arm(conn, kind=KIND, key=turn.conversation_id, due=now, now=now, priority=1)


def undecided(conn: Connection) -> Sequence[AnyRow]:
    """The actions that wait for a person: id, action, question, since when."""
    return conn.execute(sql.UNDECIDED).all()
