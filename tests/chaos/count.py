"""What a run has come to, by four witnesses that know nothing of each other: the phones' screens, the simulated
Twilio's list, the ledger that the action writes, and the database."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from replyline.db import Db
from replyline.db.columns import AnyRow
from replyline.db.tables import texts, turns
from replyline.simulator import Message, Status
from tests.chaos.brain import TAG, Brain
from tests.chaos.people import People
from tests.support.to_do import TO_DO

TEXT_ID = re.compile(r"[?&]text=(\w+)")
ON_THE_WIRE = 5.0  # seconds that a request may take from our judge to Twilio


@dataclass
class Found:
    """One thing that must not happen, and every time that it did."""

    what: str
    cases: list[str]


@dataclass(kw_only=True)
class Rows:
    """What the database says."""

    inbound: list[AnyRow]
    outbound: list[AnyRow]
    turns: dict[str, AnyRow]
    work: list[AnyRow]


async def rows_of(db: Db) -> Rows:
    return await db.run(read)


def read(conn: Connection) -> Rows:
    found = conn.execute(select(texts)).all()
    return Rows(
        inbound=[row for row in found if row.is_inbound],
        outbound=[row for row in found if not row.is_inbound],
        turns={row.id: row for row in conn.execute(select(turns)).all()},
        work=list(conn.execute(TO_DO).all()),
    )


def count(people: People, brain: Brain, rows: Rows, ledger: Path) -> list[Found]:
    """Everything that must be nought."""
    witness = Witnesses(people, rows, ledger)
    cases = {
        "texts lost": witness.lost(),
        "texts answered twice": witness.answered_twice(),
        "actions effective twice": witness.effective_twice(),
        "answers without their action": witness.not_effective(),
        "sends repeated": witness.sent_twice(),
        "texts after STOP": witness.after_stop(),
        "turns of a conversation at once": brain.overlapped,
        "left in doubt or undone": witness.undone(),
        "screens that differ from Twilio's list": witness.screens_that_differ(),
    }
    return [Found(what, list(found)) for what, found in cases.items()]


class Witnesses:
    """The four sources, put beside each other."""

    def __init__(self, people: People, rows: Rows, ledger: Path) -> None:
        self._people, self._rows = people, rows
        everything = people.twilio.messages
        self._in: list[Message] = [each for each in everything if each.direction == "inbound"]
        self._out: list[Message] = [each for each in everything if each.direction != "inbound"]
        self._stored = {row.sid: row for row in rows.inbound}
        self._effects = Counter(name.name.split(" ", 1)[1].split(":")[0] for name in ledger.iterdir())
        self._answers: dict[str, list[AnyRow]] = defaultdict(list)
        for row in rows.outbound:
            if row.turn_id:
                self._answers[row.turn_id].append(row)
        self._taken = {each.sid: each for each in self._out}

    @property
    def never_acknowledged(self) -> int:
        """Texts that Twilio gave up on: our server was down. They have to be found in its list."""
        return sum(each.sid not in self._people.acknowledged for each in self._in)

    @property
    def fallbacks(self) -> int:
        return sum(row.state == "failed" for row in self._rows.turns.values())

    def lost(self) -> Iterable[str]:
        """Every text that Twilio has, taken by us or not, has to be stored, and named in an answer that Twilio took."""
        for each in self._in:
            row = self._stored.get(each.sid)
            if row is None:
                was = "was" if each.sid in self._people.acknowledged else "was never"
                yield f"{each.sid} {was} acknowledged and is not stored"
            elif row.handled_at is None:
                yield f"{each.sid} waits for ever"
            elif each.sender not in self._people.stopping and (why := self._why_unanswered(each, row)):
                yield f"{each.sid} {each.body!r}: {why}"

    def _why_unanswered(self, text: Message, row: AnyRow) -> str:
        turn = self._rows.turns.get(row.turn_id)
        if turn is None:
            return f"no turn ({row.why})"
        answers = [self._taken[each.sid] for each in self._answers[turn.id] if each.sid in self._taken]
        if turn.state not in {"done", "failed"}:
            return f"its turn is {turn.state}"
        if not answers:
            return f"nothing was sent ({[(each.status, each.why) for each in self._answers[turn.id]]})"
        if turn.state == "done" and tag_of(text) not in " ".join(each.body for each in answers):
            return f"the answer does not name it ({answers[0].body!r})"
        return ""

    def answered_twice(self) -> Iterable[str]:
        named = Counter(tag for each in self._out for tag in set(TAG.findall(each.body)))
        yield from (f"{tag} is named in {times} texts" for tag, times in named.items() if times > 1)
        yield from (f"{turn} wrote {len(rows)} texts" for turn, rows in self._answers.items() if len(rows) > 1)

    def effective_twice(self) -> Iterable[str]:
        yield from (f"{turn} took effect {times} times" for turn, times in self._effects.items() if times > 1)
        yield from (f"{turn} is no turn" for turn in self._effects if turn not in self._rows.turns)

    def not_effective(self) -> Iterable[str]:
        done = (row.id for row in self._rows.turns.values() if row.state == "done")
        yield from (f"{turn} answered, and did nothing" for turn in done if turn not in self._effects)

    def sent_twice(self) -> Iterable[str]:
        ours = {row.sid: row for row in self._rows.outbound if row.sid}
        by_text = Counter(found[1] for each in self._out if (found := TEXT_ID.search(each.status_callback or "")))
        yield from (f"{text} was sent {times} times" for text, times in by_text.items() if times > 1)
        yield from (f"Twilio has {each.sid}, we do not know it" for each in self._out if each.sid not in ours)
        yield from (f"Twilio does not know {sid}" for sid in ours if sid not in self._taken)

    def after_stop(self) -> Iterable[str]:
        """Judged after the STOP was acknowledged, or on the wire for longer than that takes."""
        stopped = self._people.stopped
        for row in self._rows.outbound:
            at = stopped.get(row.phone)
            if at is not None and row.sending_at is not None and row.sending_at.timestamp() > at:
                yield f"{row.id} left {row.sending_at.timestamp() - at:.3f} s after STOP"
        for each in self._people.requests:
            at = stopped.get(each.phone)
            if at is not None and each.at > at + ON_THE_WIRE:
                yield f"{each.phone[:5]}... was texted {each.at - at:.1f} s after STOP"

    def undone(self) -> Iterable[str]:
        yield from (f"{row.kind} {row.key} is left to do" for row in self._rows.work)
        open_ends = {"queued", "sending", "unknown"}
        yield from (f"{row.id} is {row.status}: {row.why}" for row in self._rows.outbound if row.status in open_ends)
        yield from (f"{row.id} is {row.state}" for row in self._rows.turns.values() if row.state == "running")

    def screens_that_differ(self) -> Iterable[str]:
        shown = Counter(
            text.sid for phone in self._people.written for text in self._people.twilio.phone(phone).received if text.sid
        )
        for each in self._out:
            if shown[each.sid] != (each.status is Status.DELIVERED):
                yield f"{each.sid} is {each.status} and shown {shown[each.sid]} times"


def tag_of(text: Message) -> str:
    found: Any = TAG.search(text.body)
    return found[0] if found else "no tag"
