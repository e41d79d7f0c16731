"""Whose a message of Twilio's is, by what reports prove: in memory, for one set of reports."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from replyline.conversations.delivery import Status
from replyline.db.columns import AnyRow
from replyline.log import get_log

log = get_log(__name__)

GIVEN_BACK = "It had taken another text's message for its own; it is looked up again."


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A text of ours, as far as reports can change it."""

    id: str
    line: str
    phone: str
    sender: str
    purpose: str
    attempts: int
    sid: str | None
    is_adopted: bool  # the SID was found by likeness, and no callback has proved it
    status: Status
    status_at: datetime
    sending_at: datetime | None
    error_code: int | None
    why: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """The text that a report is about, and whether the report can move it."""

    text_id: str
    moves: bool = True


class Owners:
    """The texts that a set of reports is about, before and after it."""

    def __init__(self, rows: Iterable[AnyRow]) -> None:
        self.now: dict[str, State] = {}
        self._before: dict[str, State] = {}
        self._holders: dict[str, str] = {}  # who has a SID
        self._inbound: set[str] = set()  # SIDs of texts that people wrote, which no report moves
        self.add(rows)

    def add(self, rows: Iterable[AnyRow]) -> None:
        for row in rows:
            if row.is_inbound:
                self._inbound.add(row.sid)
                continue
            state = state_of(row)
            self.now[row.id] = self._before[row.id] = state
            if state.sid:
                self._holders[state.sid] = state.id

    def lacks_holder(self, text_id: str | None, sid: str) -> bool:
        """Whether this report is the first we hear of a SID, about a text without one."""
        ours = self.now.get(text_id or "")
        return ours is not None and ours.sid is None and sid not in self._holders and sid not in self._inbound

    def about(self, text_id: str | None, sid: str, at: datetime) -> About | None:
        """The text that a message belongs to, after what this report proves: our id in its callback names it."""
        if sid in self._inbound:
            return None
        ours = self.now.get(text_id or "")
        holder = self.now.get(self._holders.get(sid, ""))
        if ours is None or ours is holder:
            if ours is not None and ours.is_adopted:
                self.put(replace(ours, is_adopted=False))
            return About(text_id=holder.id) if holder else None
        if holder is None:
            return self._first_heard_of(ours, sid, at)
        return self._found_with_another(ours, holder, sid, at)

    def _first_heard_of(self, ours: State, sid: str, at: datetime) -> About:
        if ours.sid is not None and not ours.is_adopted:
            # The first request was late into Twilio's list, and we had sent once more by the time it was heard of.
            log.error("text_sent_twice", text=ours.id, sid=ours.sid, other=sid)
            return About(text_id=ours.id, moves=False)
        self.put(with_message(ours, sid, at))
        return About(text_id=ours.id)

    def _found_with_another(self, ours: State, holder: State, sid: str, at: datetime) -> About:
        """Another text has this SID. If it took it by likeness, it gives it back to the one that the callback names."""
        # While a second request of ours is on the wire, two texts have two messages: none is sent once more.
        is_leaving_again = ours.sid is None and ours.status is Status.SENDING and ours.attempts > 1
        if not holder.is_adopted or is_leaving_again or (ours.sid is not None and not ours.is_adopted):
            return About(text_id=holder.id)
        log.info("message_changed_hands", sid=sid, text=ours.id, before=holder.id)
        self.put(replace(with_message(ours, sid, at), status=holder.status, error_code=holder.error_code))
        if ours.sid is None:
            doubt = replace(holder, sid=None, is_adopted=False, status=Status.UNKNOWN, status_at=at)
            self.put(replace(doubt, error_code=None, why=GIVEN_BACK))
        else:
            self.put(replace(holder, sid=ours.sid, status=ours.status, status_at=at, error_code=ours.error_code))
        return About(text_id=ours.id)

    def put(self, state: State) -> None:
        before = self.now[state.id]
        if before.sid and self._holders.get(before.sid) == state.id:
            del self._holders[before.sid]
        if state.sid:
            self._holders[state.sid] = state.id
        self.now[state.id] = state

    @property
    def changed(self) -> list[State]:
        return [state for text_id, state in sorted(self.now.items()) if state != self._before[text_id]]

    @property
    def gave_up_sids(self) -> list[str]:
        """The texts whose SID is another now, or none."""
        return [state.id for state in self.changed if self._before[state.id].sid not in {None, state.sid}]

    @property
    def in_doubt_again(self) -> list[State]:
        return [state for state in self.changed if state.sid is None and self._before[state.id].sid is not None]

    @property
    def first_heard_of(self) -> list[State]:
        """The texts that are with Twilio, which we had not known."""
        return [state for state in self.changed if state.sid is not None and self._before[state.id].sid is None]

    @property
    def moved_sids(self) -> dict[str, str]:
        """SIDs that were another text's, and whose they are now."""
        before = {state.sid for state in self._before.values() if state.sid}
        return {s.sid: s.id for s in self.changed if s.sid in before and s.sid != self._before[s.id].sid}


def with_message(state: State, sid: str, at: datetime) -> State:
    """The text once we know that Twilio has it; what we had thought of it before does not count."""
    return replace(state, sid=sid, is_adopted=False, status=Status.SENT, status_at=at, error_code=None, why=None)


def state_of(row: AnyRow) -> State:
    return State(
        id=row.id,
        line=row.line,
        phone=row.phone,
        sender=row.messaging_service_sid or row.our_address,
        purpose=row.purpose,
        attempts=row.attempts,
        sid=row.sid,
        is_adopted=row.adopted_at is not None,
        status=Status(row.status),
        status_at=row.status_at,
        sending_at=row.sending_at,
        error_code=row.error_code,
        why=row.why,
    )
