"""People who write STOP at a moment nobody has chosen, while others let their texts leave.

Who writes what, in which order and with which pauses follows from a seed. What the threads, the processes and the
database make of it in between does not, so the same seed tries the same thing again, and may have to try it twice.

No clock tells what was first. A STOP holds the person until its commit, so what is not claimed when it looks, just before
that, can only be claimed afterwards: and then it must never be.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from replyline.conversations.store import find_or_start
from replyline.db import Db, open_db
from replyline.db.errors import DatabaseDown
from replyline.db.tables import consents, decisions, texts, work
from replyline.inbound.receive import Received, receive
from replyline.log import set_up_logs
from replyline.outbound.claim import Departure, Departures, Leave
from replyline.outbound.queue import KIND, NewText, queue_texts
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Send
from replyline.work import Opening, Place, Taken, take
from tests.support.cast import MONDAY, a_line, an_arrival

# Short codes: the confirmation of a STOP is ours to send there. Each is a lane, so several claim from one person at once.
SENDERS = ("24365", "24366", "24367")
ORDINARY = (Purpose.CONVERSATIONAL_REPLY, Purpose.TRANSACTIONAL, Purpose.MARKETING, Purpose.EMERGENCY)
AFTER_A_STOP = {Purpose.OPT_OUT_CONFIRMATION.value, Purpose.HELP_REPLY.value}
ROUND, EACH = 50, 3  # people whose texts wait at once, and how many texts that are
LONG_ENOUGH = 3.0  # seconds for some of them to leave; machines that test are busy


@dataclass(frozen=True, kw_only=True, slots=True)
class Pauses:
    """How long to dawdle, in seconds: within a transaction that holds a person, and between two."""

    within: float
    between: float


def people_of(how_many: int) -> list[str]:
    return [f"+1212{2_000_000 + n}" for n in range(how_many)]


class Claimer:
    """Lets texts leave as a worker does, but of some senders at a time, so that others can claim of the rest."""

    def __init__(self, url: str, seed: object, pauses: Pauses) -> None:
        self.count = 0
        self._db, self._random, self._pauses = open_db(url), Random(str(seed)), pauses
        line = a_line(segments_per_second=1_000_000.0)
        line.rule(self._dawdle)
        self._departures = Departures(line, read_rulebook(), b"secret")

    def work_until(self, is_over: Callable[[], bool]) -> None:
        """Claim until the race is over and nothing is left."""
        while True:
            was_over = is_over()
            taken = asked(self._db, self._take, self._random.randint(1, 16))
            self.count += sum(isinstance(job.brought, Leave) for job in taken.jobs)
            if not taken.count:
                if was_over and not asked(self._db, waiting):
                    break
                time.sleep(0.002)
            time.sleep(self._random.random() * self._pauses.between)
        self._db.close_blocking()

    def open(self, conn: Connection, places: Sequence[Place], now: object) -> Departure:
        mine = [place for place in places if self._random.random() < 0.6]
        departure = self._departures.open(conn, mine, MONDAY)
        departure.openings = {place: departure.openings.get(place, Opening(room=0, at=MONDAY)) for place in places}
        return departure

    def _take(self, conn: Connection, limit: int) -> Taken:
        return take(conn, owner="racer", kinds=[KIND], limit=limit, now=MONDAY, gates={KIND: self})

    def _dawdle(self, facts: object, now: object) -> Send:
        """A rule of the line: it is asked when the facts are read and nothing is marked yet."""
        if self._random.random() < 0.2:
            time.sleep(self._random.random() * self._pauses.within)
        return Send()


@dataclass(kw_only=True)
class Race:
    """The people, what they and the business do, and what had left when each STOP was about to commit."""

    url: str
    people: Sequence[str]
    seed: int
    pauses: Pauses
    left_before: dict[str, frozenset[str]] = field(default_factory=dict)  # text ids by phone
    is_over: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)

    def run(self, *, claimers: int, actors: int = 2) -> None:
        """Everything in threads of this process."""
        claiming = [Claimer(self.url, f"{self.seed} claimer {n}", self.pauses) for n in range(claimers)]
        threads = [
            threading.Thread(target=self._guarded, args=(each.work_until, self.is_over.is_set)) for each in claiming
        ]
        for thread in threads:
            thread.start()
        self.act(actors)
        for thread in threads:
            thread.join()
        self.raise_errors()

    def act(self, actors: int) -> None:
        """What people and the business do, a share for each actor, until it is over."""
        share = -(-len(self.people) // actors)
        threads = [
            threading.Thread(target=self._guarded, args=(self._act, self.people[n * share : (n + 1) * share], n))
            for n in range(actors)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.is_over.set()

    def raise_errors(self) -> None:
        if self.errors:
            raise self.errors[0]

    def _guarded(self, do: Callable[..., None], *given: object) -> None:
        try:
            do(*given)
        except BaseException as error:
            self.errors.append(error)

    def _act(self, people: Sequence[str], number: int) -> None:
        random, db = Random(f"{self.seed} actor {number}"), open_db(self.url)
        with ThreadPoolExecutor(1) as beside:
            for start in range(0, len(people), ROUND):
                some = people[start : start + ROUND]
                wanted = [(phone, random.choice(ORDINARY)) for phone in some for _ in range(EACH)]
                asked(db, queue_some, wanted, random.random())
                wait_until_fewer_than(len(wanted) * random.uniform(0.4, 1), db)
                for phones in groups(some, random):
                    meanwhile = beside.submit(self._meanwhile, db, phones, random.random())
                    time.sleep(random.random() * self.pauses.between)
                    self.left_before |= asked(db, self._stop, phones, random.random())
                    meanwhile.result()
                late = [(phone, random.choice(ORDINARY)) for phone in random.sample(some, len(some) // 3)]
                asked(db, queue_some, late, random.random())
        db.close_blocking()

    def _stop(self, conn: Connection, phones: Sequence[str], chance: float) -> dict[str, frozenset[str]]:
        """Dawdle between what a STOP does and its commit: that is when others must wait for it."""
        random = Random(chance)
        hear(conn, phones, "STOP")
        time.sleep(random.random() * self.pauses.within)
        left = defaultdict(set)
        for row in conn.execute(LEFT, {"phones": list(phones)}):
            left[row.phone].add(row.id)
        time.sleep(random.random() * self.pauses.within)
        return {phone: frozenset(left[phone]) for phone in phones}

    def _meanwhile(self, db: Db, phones: Sequence[str], chance: float) -> None:
        """The business texts some of those who write STOP just now, and some of them cry for help."""
        random = Random(chance)
        for phone in phones:
            time.sleep(random.random() * self.pauses.between)
            if random.random() < 0.7:
                asked(db, queue_some, [(phone, random.choice(ORDINARY))], random.random())
            if random.random() < 0.1:
                asked(db, hear, [phone], "HELP")


def groups(people: Sequence[str], random: Random) -> Iterator[list[str]]:
    """In any order, alone or with others whose STOP arrives in the same set."""
    waiting = random.sample(people, len(people))
    while waiting:
        size = random.randint(1, 3)
        yield waiting[:size]
        waiting = waiting[size:]


def hear(conn: Connection, phones: Sequence[str], word: str) -> None:
    arrivals = [an_arrival(word, phone=phone, our_address=SENDERS[0], secret=b"secret") for phone in phones]
    assert set(receive(conn, arrivals)) == {Received.HEEDED}


def queue_some(conn: Connection, wanted: Sequence[tuple[str, Purpose]], chance: float) -> None:
    """A text to each of these, from any of our senders."""
    random = Random(chance)
    keys = [("gym", phone, random.choice(SENDERS)) for phone, _ in wanted]
    found = find_or_start(conn, keys, MONDAY)
    new = [
        NewText(
            line="gym",
            conversation_id=found[key].id,
            phone=key[1],
            our_address=key[2],
            body="See you at six.",
            purpose=purpose,
        )
        for key, (_, purpose) in zip(keys, wanted, strict=True)
    ]
    queue_texts(conn, new, MONDAY)


def agree_all(conn: Connection, people: Sequence[str]) -> None:
    """Everybody wants everything."""
    given = {"line": "gym", "program": "", "tier": "express_written", "is_confirmed": True, "since": MONDAY}
    rows = [
        given | {"phone": phone, "purpose": purpose, "event_id": "cev_test"}
        for phone in people
        for purpose in ("transactional", "marketing")
    ]
    conn.execute(insert(consents), rows)


def asked(db: Db, do: Callable[..., Any], *given: Any) -> Any:
    """Ask again when SQLite had others write for ten seconds, which is nothing but a busy machine: nothing was done."""
    for _ in range(10):
        try:
            return db.run_blocking(do, *given)
        except DatabaseDown:
            continue
    return db.run_blocking(do, *given)


def waiting(conn: Connection) -> int:
    found: int = conn.execute(WAITING).scalar_one()
    return found


def wait_until_fewer_than(some: float, db: Db) -> None:
    give_up = time.monotonic() + LONG_ENOUGH
    while asked(db, waiting) >= some and time.monotonic() < give_up:
        time.sleep(0.003)


def breaches(db: Db, race: Race) -> list[str]:
    """Every way in which what happened is not what was promised, in words."""
    rows = db.run_blocking(lambda conn: conn.execute(OUTBOUND).all())
    said = db.run_blocking(lambda conn: Counter(conn.execute(SAID_SEND).scalars().all()))
    found = []
    for row in rows:
        has_left = row.sending_at is not None
        if has_left and row.purpose not in AFTER_A_STOP and row.id not in race.left_before[row.phone]:
            found.append(f"{row.id}, {row.purpose}, was claimed after the STOP of {row.phone}")
        if has_left != (row.status == "sending") or said[row.id] != has_left:
            found.append(f"{row.id} is {row.status}, claimed: {has_left}, decided to send {said[row.id]} times")
        if row.status == "queued":
            found.append(f"{row.id} still waits")
    confirmed = Counter(
        row.phone for row in rows if row.purpose == Purpose.OPT_OUT_CONFIRMATION.value and row.sending_at
    )
    found += [f"{phone} got {confirmed[phone]} confirmations" for phone in race.people if confirmed[phone] != 1]
    return found


def shares(db: Db, race: Race) -> dict[str, float]:
    """How much of a race it was: of how many people some texts had left before the STOP, and some never did."""
    rows = db.run_blocking(lambda conn: conn.execute(OUTBOUND).all())
    kept = {row.phone for row in rows if row.status in {"canceled", "refused"}}
    had = {phone for phone, left in race.left_before.items() if left}
    return {
        "cut in two": len(kept & had) / len(race.people),
        "refused by the judge": sum(row.status == "refused" for row in rows) / len(race.people),
    }


LEFT = select(texts.c.id, texts.c.phone).where(
    texts.c.line == "gym",
    texts.c.phone.in_(bindparam("phones", expanding=True)),
    texts.c.is_inbound.is_(False),
    texts.c.sending_at.is_not(None),
)
OUTBOUND = select(texts.c.id, texts.c.phone, texts.c.purpose, texts.c.status, texts.c.sending_at).where(
    texts.c.is_inbound.is_(False)
)
WAITING = select(func.count()).where(work.c.kind == KIND, work.c.lane != "")
SAID_SEND = select(decisions.c.text_id).where(decisions.c.verdict == "send")


def claim_in_process(url: str, seed: str, pauses: Pauses, all_are_there: Any, is_over: Any) -> None:
    """The work of one process; a barrier and an event of `multiprocessing` say when it begins and ends."""
    set_up_logs(level="error")
    claimer = Claimer(url, seed, pauses)
    all_are_there.wait(60)
    claimer.work_until(is_over.is_set)
