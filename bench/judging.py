"""What judging costs: facts and verdict alone, a whole claim on SQLite, and a list of recipients asked about beforehand."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, insert, update

from bench.databases import Database
from replyline.conversations.delivery import Status
from replyline.conversations.store import find_or_start
from replyline.db import Db, open_db
from replyline.db.tables import consents, contacts, decisions, opt_outs, texts, work
from replyline.outbound.claim import MOVE, Departure, Departures, Leave
from replyline.outbound.queue import KIND, NewText, queue_texts
from replyline.phone_numbers import country_of
from replyline.plugins.line import Line
from replyline.plugins.programs import Tier
from replyline.rules import quiet_hours, rulebook
from replyline.rules.facts import Consent, Purpose
from replyline.rules.foresee import foresee_many
from replyline.rules.gather import History, facts_of
from replyline.rules.judge import CORE_RULES, judge
from replyline.rules.places import place_of
from replyline.rules.verdict import Send, Wait
from replyline.work import Claimed, Place, take

DAY = datetime(2026, 3, 3, 18, 0, tzinfo=UTC)  # a Tuesday, 13:00 in New York and 8:00 in Honolulu
NIGHT = DAY + timedelta(hours=13)
TEXTS, AT_ONCE = 5_000, 50  # in one run, and in one claim: what a worker takes at a time
RECIPIENTS = 10_000
OURS, SECRET = "24365", b"secret"
LINE = Line(
    name="Gym", key="gym", instructions="", timezone="America/Los_Angeles", introduces=False, segments_per_second=1e6
)


@dataclass(kw_only=True)
class Measured:
    """One thing that is measured, and what its runs took."""

    name: str
    count: int
    is_list: bool = False  # judged by how long the whole takes, not by the CPU of each
    cpu: list[float] = field(default_factory=list)  # seconds of the thread that does it
    seconds: list[float] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        return 1e6 * median(self.cpu) / self.count


def measure(databases: Sequence[Database], *, rounds: int) -> list[Measured]:
    """Everything in turn, round after round; each run has people of its own, whom nothing has been cached of."""
    people = a_country(Random(20260303), (rounds + 1) * TEXTS + RECIPIENTS)
    dbs = {each.name: open_db(each.url) for each in databases}
    try:
        for db in dbs.values():
            db.run_blocking(meet, people[-RECIPIENTS:])
        runs = planned(dbs)
        for number in range(-1, rounds):
            new = people[(number + 1) * TEXTS : (number + 2) * TEXTS]
            dbs["SQLite"].run_blocking(agree, new)
            for measured, run in runs:
                began = time.perf_counter()
                cpu, seconds = run(people[-RECIPIENTS:] if measured.is_list else new)
                if number >= 0:
                    measured.cpu.append(cpu)
                    measured.seconds.append(seconds or time.perf_counter() - began)
                    print(
                        f"round {number + 1}  {measured.name:62} {1e6 * cpu / measured.count:7.1f} µs CPU", flush=True
                    )
    finally:
        for db in dbs.values():
            db.close_blocking()
    return [measured for measured, _ in runs]


Run = Callable[[Sequence[str]], tuple[float, float]]


def planned(dbs: dict[str, Db]) -> list[tuple[Measured, Run]]:
    sqlite = dbs["SQLite"]
    runs: list[tuple[Measured, Run]] = [
        (Measured(name="mark as sending, ask nobody, SQLite", count=TEXTS), lambda new: mark(sqlite, new)),
        (Measured(name="facts and verdict, people met for the first time", count=TEXTS), lambda new: alone(new, DAY)),
        (Measured(name="facts and verdict, people known to the process", count=TEXTS), lambda new: known(new, DAY)),
        (Measured(name="facts and verdict at night: when may it leave?", count=TEXTS), lambda new: alone(new, NIGHT)),
        (Measured(name="a whole claim, SQLite", count=TEXTS), lambda new: claim(sqlite, new, DAY)),
        (Measured(name="a whole claim at night, SQLite", count=TEXTS), lambda new: claim(sqlite, new, NIGHT)),
    ]
    runs += [
        (
            Measured(name=f"a list of {RECIPIENTS:,} beforehand, {name}", count=RECIPIENTS, is_list=True),
            lambda listed, db=db: beforehand(db, listed),
        )
        for name, db in dbs.items()
    ]
    return runs


def alone(people: Sequence[str], at: datetime) -> tuple[float, float]:
    """Judge a text to each with nothing cached, as of people who have not been texted lately."""
    forget()
    return known(people, at)


def known(people: Sequence[str], at: datetime) -> tuple[float, float]:
    agreed = (Consent(purpose=Purpose.MARKETING, tier=Tier.EXPRESS_WRITTEN, since=DAY),)
    history = History(sent={}, agreed={("gym", phone): list(agreed) for phone in people}, suppressed={})
    rows = [a_row(phone) for phone in people]
    book, found = rulebook.read_rulebook(), []
    began = time.thread_time()
    for row in rows:
        found.append(judge(facts_of(row, LINE, book, history), at, rules=CORE_RULES).verdict)
    cpu = time.thread_time() - began
    assert {type(each) for each in found} <= ({Send, Wait} if at == DAY else {Wait})
    return cpu, 0


def a_row(phone: str) -> Any:
    nothing = dict.fromkeys(("media", "opted_out_of", "zone", "state", "postal_code"))
    given = {"line": "gym", "phone": phone, "purpose": "marketing", "program": "", "body": "Half price today!"}
    return SimpleNamespace(**given, **nothing, our_address="+14155550100", messaging_service_sid=None)


def forget() -> None:
    """Empty the caches that hold something by person; rules and zones stay, as in a process that has run for a while."""
    for cached in (country_of, place_of, quiet_hours.demands_on, quiet_hours.intervals_in):
        cached.cache_clear()


def mark(db: Db, people: Sequence[str]) -> tuple[float, float]:
    """The least that a claim could do: the same texts marked in sets of the same size, whatever anybody has said."""
    ids = db.run_blocking(queue_all, people)
    cpu = 0.0
    for start in range(0, len(ids), AT_ONCE):
        cpu += db.run_blocking(mark_some, ids[start : start + AT_ONCE])
    clear(db)
    return cpu, 0


def mark_some(conn: Connection, ids: Sequence[str]) -> float:
    began = time.thread_time()
    moves = [
        {"text_id": each, "to": Status.SENDING.value, "at": DAY, "because": None, "sending": DAY, "times": 1}
        for each in ids
    ]
    conn.execute(MOVE, moves)
    return time.thread_time() - began


def claim(db: Db, people: Sequence[str], at: datetime) -> tuple[float, float]:
    """All of it as a worker does it; counted is what the gate does in each claim: hold, read, judge, write."""
    forget()
    db.run_blocking(queue_all, people)
    counted = Counted()
    while db.run_blocking(take_some, counted, at):
        pass
    assert (counted.left, counted.texts) == (len(people) if at == DAY else 0, len(people)), counted
    assert at != DAY or db.run_blocking(kept) == len(people), "Every decision is kept."
    clear(db)
    return counted.cpu, 0


class Counted:
    """The gate of the sends, and what it has cost so far."""

    def __init__(self) -> None:
        self.cpu, self.texts, self.left = 0.0, 0, 0
        self._departures = Departures(LINE, rulebook.read_rulebook(), SECRET)

    def open(self, conn: Connection, places: Sequence[Place], now: datetime) -> "Counted":
        self._departure: Departure = self._departures.open(conn, places, now)
        self.openings = self._departure.openings
        return self

    def begin(self, conn: Connection, jobs: Sequence[Claimed]) -> Sequence[Claimed]:
        began = time.thread_time()
        begun = self._departure.begin(conn, jobs)
        self.cpu += time.thread_time() - began
        self.texts += len(jobs)
        self.left += sum(isinstance(job.brought, Leave) for job in begun)
        return begun


def take_some(conn: Connection, counted: Counted, at: datetime) -> int:
    return take(conn, owner="bench", kinds=[KIND], limit=AT_ONCE, now=at, gates={KIND: counted}).count


def beforehand(db: Db, people: Sequence[str]) -> tuple[float, float]:
    """What `replyline gate check --file` asks."""
    forget()
    began = time.perf_counter()
    cpu, found = db.run_blocking(foresee_all, people)
    seconds = time.perf_counter() - began
    assert found == len(people)
    return cpu, seconds


def foresee_all(conn: Connection, people: Sequence[str]) -> tuple[float, int]:
    began = time.thread_time()
    given: dict[str, Any] = {"purpose": "marketing", "program": "", "at": DAY, "secret": SECRET}
    found = foresee_many(conn, LINE, rulebook.read_rulebook(), people, **given)
    return time.thread_time() - began, len(found)


def a_country(random: Random, how_many: int) -> list[str]:
    """People all over the United States, each once."""
    codes = [code for code, spot in rulebook.read_rulebook().area_codes.items() if spot.countries == {"US"}]
    codes = [code for code in codes if country_of(f"+1{code}2345678") == "US"]
    return [f"+1{random.choice(codes)}{2_000_000 + n}" for n in range(how_many)]


def meet(conn: Connection, people: Sequence[str]) -> None:
    """Nine of ten have agreed to advertising, one of twenty opted out since, one of three said where they live."""
    find_or_start(conn, [("gym", phone, OURS) for phone in people], DAY)
    agree(conn, [phone for n, phone in enumerate(people) if n % 10])
    gone = [phone for n, phone in enumerate(people) if n % 20 == 1]
    out = {"line": "gym", "scope": "all", "since": DAY, "source": "keyword"}
    conn.execute(insert(opt_outs), [out | {"phone": phone} for phone in gone])
    conn.execute(update(contacts).where(contacts.c.phone.in_(people[::3][:9_000])).values(postal_code="97201"))


def agree(conn: Connection, people: Sequence[str]) -> None:
    given = {"line": "gym", "purpose": "marketing", "program": "", "tier": "express_written", "is_confirmed": True}
    rows = [given | {"phone": phone, "since": DAY, "event_id": "cev_bench"} for phone in people]
    conn.execute(insert(consents), rows)


def queue_all(conn: Connection, people: Sequence[str]) -> list[str]:
    keys = [("gym", phone, OURS) for phone in people]
    found = find_or_start(conn, keys, DAY)
    new = [
        NewText(
            line="gym",
            conversation_id=found[key].id,
            phone=key[1],
            our_address=OURS,
            body="Half price today!",
            purpose=Purpose.MARKETING,
        )
        for key in keys
    ]
    return queue_texts(conn, new, DAY)


def kept(conn: Connection) -> int:
    found: int = conn.exec_driver_sql("SELECT count(*) FROM decisions WHERE verdict = 'send'").scalar_one()
    return found


def clear(db: Db) -> None:
    """Nothing of one run is left for the next but the people."""

    def everything(conn: Connection) -> None:
        for table in (decisions, work, texts):
            conn.execute(table.delete())

    db.run_blocking(everything)


def table(measured: Sequence[Measured]) -> str:
    """As Markdown: medians."""
    bare = measured[0]
    lines = ["| judging | texts or people | CPU each | of marking alone | all of it |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {each.name} | {each.count:,} | {each.cpu_us:,.0f} µs | {each.cpu_us / bare.cpu_us:.1f} "
        f"| {f'{median(each.seconds):.2f} s' if each.is_list else '-'} |"
        for each in measured
    ]
    return "\n".join(lines)
