"""Letting texts leave: line, judge and sender's rate, then SENDING, in the transaction that claims them from the queue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from replyline.clock import Stopwatch
from replyline.conversations.delivery import Status
from replyline.conversations.segments import measure
from replyline.costs.book import PriceBook
from replyline.db import CHANGE, wake
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import contacts, texts
from replyline.log import get_log
from replyline.outbound.digest import GATHERING, Key, digest, gathers_until, key_of, may_join, waiting_notices
from replyline.outbound.pace import Pace, lane_of_text, pace_of
from replyline.outbound.purse import Purse
from replyline.outbound.queue import NO_LANE
from replyline.outbound.senders import Counted, Rooms, counted
from replyline.phone_numbers import masked
from replyline.plugins.line import Line
from replyline.rules import introduction, registration
from replyline.rules.decisions import KEEP, Row, decision_row, what_is_new
from replyline.rules.facts import Facts, Purpose
from replyline.rules.gather import History, facts_of, history_of, lock_people, texts_to_judge
from replyline.rules.judge import CORE_RULES, Decision, judge
from replyline.rules.rulebook import Rulebook
from replyline.rules.tiers import UNASKED
from replyline.rules.verdict import Refuse, Send, Verdict, Wait
from replyline.work import Claimed, LostLease, Opening, Place, finish_many, held, later_many, put_back

log = get_log(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave:
    """It may leave, now; it is marked as SENDING."""

    text: AnyRow
    body: str  # as it leaves: the first to a person says who texts, and how to stop
    segments: int | None
    claimed: Stopwatch
    others: tuple[AnyRow, ...] = ()  # notices whose words leave with it
    introduces: bool = False  # it says who texts
    cost: int | None = None  # micro-dollars at most, when a budget asks
    is_reserved: bool = False  # a budget has to know what becomes of it
    counted: Counted | None = None  # against its brand's day


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """It may have left already: a process died, or Twilio did not answer. Find out first."""

    text: AnyRow


class Departures:
    """What a line lets leave, and how fast."""

    def __init__(self, line: Line, book: Rulebook, secret: bytes, prices: PriceBook | None = None) -> None:
        self._line, self._book, self._secret = line, book, secret
        self._prices = prices or PriceBook()
        self._has_limits = bool(line.jumps or [each for each in line.budgets if each.of != "model"])
        self._paces: dict[str, Pace] = {}

    def open(self, conn: Connection, places: Sequence[Place], now: datetime) -> "Departure":
        """Hold the senders of these places, for one claim."""
        lanes = {place.lane for place in places} - {NO_LANE}
        rooms = Rooms(now=now)
        rooms.add(conn, self.paces(lanes))
        openings = {place: rooms.opening(place.lane, place.priority) for place in places if place.lane != NO_LANE}
        return Departure(
            line=self._line,
            book=self._book,
            secret=self._secret,
            now=now,
            rooms=rooms,
            openings=openings,
            paces=self.paces,
            purse=Purse(line=self._line, prices=self._prices.now, now=now) if self._has_limits else None,
        )

    def begin_alone(self, conn: Connection, job: Claimed, now: datetime) -> Leave | Doubt | None:
        """The same for one text that was claimed before, without regard to its lane. Raises `LostLease`."""
        if not held(conn, [job]):
            raise LostLease(f"The text {job.key} belongs to another worker now.")
        begun = self.open(conn, [], now).begin(conn, [job])
        return begun[0].brought if begun else None  # type: ignore[return-value]

    def paces(self, lanes: set[str]) -> dict[str, Pace]:
        return {lane: self.pace(lane) for lane in lanes}

    def pace(self, lane: str) -> Pace:
        if lane not in self._paces:
            self._paces[lane] = pace_of(lane, self._line)
        return self._paces[lane]


@dataclass(kw_only=True)
class Departure:
    """One claim: what it found of the senders, and what becomes of each text."""

    line: Line
    book: Rulebook
    secret: bytes  # keys the hashes of people whose number is erased
    now: datetime
    rooms: Rooms
    openings: Mapping[Place, Opening]
    paces: Callable[[set[str]], dict[str, Pace]]
    purse: Purse | None = None  # none: the line has no limits
    judged: dict[str, tuple[Facts, Decision]] = field(default_factory=dict)  # beforehand, by text
    begun: list[Claimed] = field(default_factory=list)
    done: list[Claimed] = field(default_factory=list)
    held: dict[Claimed, datetime] = field(default_factory=dict)
    back: list[Claimed] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    decided: list[Row] = field(default_factory=list)
    again: list[Row] = field(default_factory=list)  # held for a reason that was written down before
    told: set[str] = field(default_factory=set)  # contacts
    notices: Mapping[Key, Sequence[AnyRow]] = field(default_factory=dict)  # that may go together
    joined: set[str] = field(default_factory=set)  # texts whose words leave in another

    def begin(self, conn: Connection, jobs: Sequence[Claimed]) -> Sequence[Claimed]:
        """Judge each text, mark those that leave as SENDING, settle the others; gives what leaves or is in doubt."""
        if not jobs:
            return []
        ids = sorted(job.key for job in jobs)
        lock_people(conn, ids)
        rows = texts_to_judge(conn, ids)
        queued = [row for row in rows.values() if row.status == Status.QUEUED.value]
        self.rooms.add(conn, self.paces({lane_of_text(row) for row in queued}))
        history = history_of(conn, queued, self.now, self.secret)
        if self.line.digest_minutes:
            self.notices = waiting_notices(conn, queued, self.now)
        if self.purse is not None:
            self.purse.hold(conn, self._ready(queued, history))
        for job in jobs:
            self._settle(job, rows.get(job.key), history)
        self._write(conn)
        return self.begun

    def _settle(self, job: Claimed, row: AnyRow | None, history: History) -> None:
        if (
            row is None
            or row.id in self.joined
            or Status(row.status) not in {Status.QUEUED, Status.SENDING, Status.UNKNOWN}
        ):
            self.done.append(job)
            return
        if row.status != Status.QUEUED.value:
            self._move(row, Status.UNKNOWN, row.why or "The process died while it was being sent.")
            self.begun.append(replace(job, brought=Doubt(text=row)))
            return
        if self._gathers(job, row):
            return
        facts, decision = self.judged.get(row.id) or self._judge(row, history)
        leave = None
        if isinstance(decision.verdict, Send) and not too_late(row, decision.verdict, self.now):
            leave = self._as_it_leaves(row, facts)
            if self.purse is not None:
                decision = self.purse.judge(row, facts, leave.cost, decision)
        verdict = decision.verdict
        if late := too_late(row, verdict, self.now):
            self._move(row, Status.EXPIRED, late)
            self.decided.append(decision_row(row, facts, decision, self.now))
            self.done.append(job)
        elif isinstance(verdict, Refuse):
            log.info("text_refused", text=row.id, to=masked(row.phone), why=verdict.why)
            self.decided.append(decision_row(row, facts, decision, self.now))
            self._move(row, Status.REFUSED, verdict.why)
            self.done.append(job)
        elif isinstance(verdict, Wait):
            made = decision_row(row, facts, decision, self.now)
            (self.decided if row.why != verdict.why else self.again).append(made)
            self._move(row, Status.QUEUED, verdict.why)
            self.held[replace(job, lane=lane_of_text(row))] = verdict.until
        else:
            assert leave is not None
            self._let_go(job, leave, facts, history, decision)

    def _ready(self, rows: Sequence[AnyRow], history: History) -> list[tuple[AnyRow, Facts]]:
        """Those that may leave as far as the rules go, with what these said: only their budgets are held."""
        self.judged = {row.id: self._judge(row, history) for row in rows}
        return [
            (row, facts)
            for row in rows
            for facts, decision in [self.judged[row.id]]
            if isinstance(decision.verdict, Send) and not too_late(row, decision.verdict, self.now)
        ]

    def _judge(self, row: AnyRow, history: History) -> tuple[Facts, Decision]:
        facts = facts_of(row, self.line, self.book, history)
        return facts, judge(facts, self.now, rules=[*CORE_RULES, *self.line.rules])

    def _let_go(self, job: Claimed, leave: Leave, facts: Facts, history: History, decision: Decision) -> None:
        """The gate is open: mark it as SENDING if its sender has room."""
        row, others, lane = leave.text, leave.others, lane_of_text(leave.text)
        size = size_of(row, leave.segments)
        if why := self.rooms.take(lane, job.priority, size):
            self._move(row, Status.QUEUED, why)
            self.back.append(replace(job, lane=lane))
            return
        if facts.purpose is Purpose.MARKETING:  # the next of this set to the same person has to count it
            history.sent[row.line, row.phone].append(self.now)
            self.judged = {each: said for each, said in self.judged.items() if not is_next(said, row.phone)}
        self.decided.append(decision_row(row, facts, decision, self.now))
        for other in others:
            self._join(other, row)
        if leave.introduces:
            self.told.add(row.contact_id)
        if leave.body is not row.body:
            self._say(row, leave.body)
        self._move(row, Status.SENDING, None)
        is_reserved = self.purse is not None and self.purse.take(row, facts, leave.cost)
        taken = counted(self.rooms.paces[lane], size, self.now)
        if is_reserved or taken:
            leave = replace(leave, is_reserved=is_reserved, counted=taken)
        self.begun.append(replace(job, brought=leave))

    def _gathers(self, job: Claimed, row: AnyRow) -> bool:
        """Whether a notice waits for others to go with it; one that would expire meanwhile does not."""
        if not self.line.digest_minutes or not may_join(row):
            return False
        until = gathers_until(row, self.line.digest_minutes)
        if until <= self.now or (row.expires_at is not None and row.expires_at <= until):
            return False
        self._move(row, Status.QUEUED, GATHERING)
        self.held[replace(job, lane=lane_of_text(row))] = until
        return True

    def _join(self, other: AnyRow, row: AnyRow) -> None:
        """Have one text say what another would have."""
        self.joined.add(other.id)
        self._move(other, Status.CANCELED, f"its words went out in {row.id}")
        for job in [job for job in self.held if job.key == other.id]:
            del self.held[job]
            self.done.append(job)

    def _as_it_leaves(self, row: AnyRow, facts: Facts) -> Leave:
        """The text with those that go with it, who texts, and what all of it costs."""
        told = self.now if row.contact_id in self.told else row.introduced_at
        introduces = self.line.introduces and introduction.is_due(facts.purpose, told, self.now)
        notices = self.notices.get(key_of(row), ()) if may_join(row) else ()
        together = digest(row, [each for each in notices if each.id not in self.joined])
        body = self._body(row, facts, together.body if together.others else row.body, introduces=introduces)
        segments = row.segments if body is row.body else measure(body).segments
        return Leave(
            text=row,
            body=body,
            segments=segments,
            others=together.others,
            introduces=introduces,
            claimed=Stopwatch(self.now),
            cost=None if self.purse is None else self.purse.cost(row, facts, segments),
        )

    def _body(self, row: AnyRow, facts: Facts, body: str, *, introduces: bool) -> str:
        """What leaves. Who was just told, in a text of this same set, is not told again."""
        is_one_way = registration.is_one_way(facts)
        if is_one_way and facts.purpose in UNASKED and facts.contact:
            body = introduction.one_way(body, facts.contact)
        if not introduces:
            return body
        return introduction.introduced(
            body,
            name=self.line.name,
            country=facts.country,
            is_first=row.introduced_at is None,
            can_reply=not is_one_way,
        )

    def _say(self, row: AnyRow, body: str) -> None:
        size = measure(body)
        self.bodies.append(
            {"text_id": row.id, "new_body": body, "new_encoding": size.encoding.value, "new_segments": size.segments}
        )

    def _move(self, row: AnyRow, to: Status, why: str | None) -> None:
        is_leaving = to is Status.SENDING
        self.moves.append(
            {
                "text_id": row.id,
                "to": to.value,
                "at": self.now if to.value != row.status else row.status_at,
                "because": why,
                "sending": self.now if is_leaving else row.sending_at,
                "times": row.attempts + is_leaving,
            }
        )

    def _write(self, conn: Connection) -> None:
        if self.moves:
            conn.execute(MOVE, self.moves)
            wake(conn, CHANGE)
        KEEP(conn, [*self.decided, *what_is_new(conn, self.again)])
        if self.bodies:
            conn.execute(SAY, self.bodies)
        if self.told:
            conn.execute(TOLD, {"ids": sorted(self.told), "now": self.now})
        finish_many(conn, self.done, now=self.now)
        later_many(conn, self.held, keep_attempts=False)
        put_back(conn, self.back)
        self.rooms.save(conn)
        if self.purse is not None:
            self.purse.save(conn)


def too_late(row: AnyRow, verdict: Verdict, now: datetime) -> str | None:
    """Why a text has expired, or will have before it may leave."""
    if row.expires_at is None or isinstance(verdict, Refuse):
        return None
    if row.expires_at <= now:
        return "It waited past the time it was for." + (f" The last reason: {row.why}." if row.why else "")
    if isinstance(verdict, Wait) and verdict.until >= row.expires_at:
        return f"It would leave past the time it was for: {verdict.why}."
    return None


def is_next(said: tuple[Facts, Decision], phone: str) -> bool:
    """Whether a text that was judged beforehand has to be judged again, now that its person was sent advertising."""
    facts, decision = said
    return facts.phone == phone and isinstance(decision.verdict, Send)


def size_of(row: AnyRow, segments: int | None) -> int:
    """Segments, or one for a text with pictures, however many those are."""
    return 1 if row.media else segments or 1


SAY = (
    update(texts)
    .where(texts.c.id == bindparam("text_id"))
    .values(body=bindparam("new_body"), encoding=bindparam("new_encoding"), segments=bindparam("new_segments"))
)
TOLD = (
    update(contacts)
    .where(contacts.c.id.in_(bindparam("ids", expanding=True)))
    .values(introduced_at=bindparam("now", type_=UtcTime))
)
MOVE = (
    update(texts)
    .where(texts.c.id == bindparam("text_id"))
    .values(
        status=bindparam("to"),
        status_at=bindparam("at", type_=UtcTime),
        why=bindparam("because"),
        sending_at=bindparam("sending", type_=UtcTime),
        attempts=bindparam("times"),
    )
)
