"""When a conversation is answered: soon after the person stops writing."""

from datetime import datetime, timedelta

from replyline.plugins.line import Line
from replyline.work import Arm

KIND = "turn"
# People end a thought with these; what comes without them is often half of it.
FINISHED = (".", "?", "!", "…", "。", "？", "！", "؟")


def due_for(line: Line, body: str, now: datetime) -> datetime:
    """When the burst this text belongs to is over, if nothing more comes."""
    is_finished = body.rstrip().endswith(FINISHED)
    return now + timedelta(seconds=line.settle * (0.4 if is_finished else 1.0))


def turn_for(line: Line, conversation_id: str, body: str, now: datetime, *, not_before: datetime | None = None) -> Arm:
    """The work row that answers a conversation: each further text puts it off a little, up to `settle_at_most`."""
    due = due_for(line, body, now)
    is_put_off = not_before is not None and not_before > due
    return Arm(
        kind=KIND,
        key=conversation_id,
        due=not_before if is_put_off and not_before else due,
        now=now,
        priority=1,
        within=None if is_put_off else timedelta(seconds=line.settle_at_most),
    )
