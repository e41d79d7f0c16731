"""Two web processes and three workers on one PostgreSQL, under load: restarted one by one, cut off from it, and it from them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import psycopg
import pytest
from sqlalchemy import select

from replyline.db import open_db
from replyline.db.tables import texts, turns
from replyline.outbound.senders import AHEAD
from tests.chaos.databases import postgres_database
from tests.process.test_stop import all_is_done, overlapping
from tests.support.cast import ANA, GYM_NUMBER
from tests.support.databases import only_on_postgres
from tests.support.processes import LINE, WORDS, Business, Running, answers, events, free_port, until
from tests.support.relays import Front

pytestmark = [pytest.mark.process, pytest.mark.long, pytest.mark.timeout(300), only_on_postgres]

RETRIES = "#rc=3&rp=5xx,ct,rt"  # as docs/guide/operations.md says it should be
RATE = 2  # segments a second: less than the guests write
HEADROOM = AHEAD[1]  # what replies may leave at once before the rate bites
POLLS = 5.0  # seconds between two looks of a worker that hears nothing


@dataclass
class Fleet:
    """A business as several processes behind a proxy."""

    business: Business
    front: Front
    web: list[tuple[int, Running]] = field(default_factory=list)
    workers: list[Running] = field(default_factory=list)

    def keep_to(self, rate: float) -> None:
        """Write into the line file how fast its sender may go."""
        line = LINE.replace("settle=0.05,", f"settle=0.05,\n    segments_per_second={rate},")
        (self.business.folder / "line.py").write_text(line)

    async def start(self, *, web: int, workers: int) -> None:
        await asyncio.gather(*(self.start_web() for _ in range(web)), *(self.start_worker() for _ in range(workers)))

    async def start_web(self) -> None:
        port = free_port()
        running = self.business.run("serve", "line:line", "--port", str(port), "--no-worker")
        await answers(f"http://127.0.0.1:{port}/readyz", running)
        self.front.ports.append(port)
        self.web.append((port, running))

    async def start_worker(self) -> None:
        self.workers.append(await self.business.work())

    async def restart_everything(self) -> None:
        """One after the other: told to stop, waited for, started again."""
        for _ in range(len(self.web)):
            port, running = self.web.pop(0)
            running.tell()
            assert await running.end(within=60) == 0
            self.front.ports.remove(port)
            await self.start_web()
        for _ in range(len(self.workers)):
            running = self.workers.pop(0)
            running.tell()
            assert await running.end(within=60) == 0
            await self.start_worker()

    def phone(self, guest: int):
        return self.business.phone(f"{ANA[:-3]}{guest:03}")

    async def text(self, guests, *, over: float) -> None:
        """Each guest writes once, spread over some seconds."""
        pause = over / len(guests)
        for guest in guests:
            self.business.tasks.append(asyncio.create_task(self.phone(guest).text(f"Hi, I am guest {guest}.")))
            await asyncio.sleep(pause)

    async def everyone_was_answered_once(self, db, guests) -> None:
        await asyncio.gather(*self.business.tasks)
        await asyncio.gather(*(self.phone(n).wait_for(1, timeout=120) for n in guests))
        await all_is_done(db)
        await self.business.twilio.settle(30)
        assert {n: self.phone(n).screen for n in guests} == {n: [WORDS.format(n)] for n in guests}
        assert Counter(self.business.bookings) == Counter(guests)
        assert not overlapping(self.business.calls)
        assert self.business.brain.overlapped == set()
        rows = await db.run(lambda conn: conn.execute(select(texts)).all())
        assert Counter(row.is_inbound for row in rows) == {True: len(guests), False: len(guests)}
        assert {row.status for row in rows if not row.is_inbound} <= {"sent", "delivered"}
        ended = await db.run(lambda conn: conn.execute(select(turns.c.state)).scalars().all())
        assert Counter(ended) == {"done": len(guests)}


@pytest.fixture
async def fleet(business, launcher):
    business.launcher = launcher
    business.tasks = []
    business.brain.delay = 0.3
    business.twilio.add_number(GYM_NUMBER, sms_url=f"{business.url}/webhooks/twilio/sms{RETRIES}")
    async with Front(port=business.port) as front:
        yield Fleet(business, front)
        business.end_all()


async def test_a_rolling_restart_under_load_loses_nothing_and_keeps_the_senders_rate(fleet, db):
    fleet.keep_to(RATE)
    await fleet.start(web=2, workers=3)
    guests = range(80)
    texting = asyncio.create_task(fleet.text(guests, over=20))
    await asyncio.sleep(1)
    await fleet.restart_everything()
    await texting
    await fleet.everyone_was_answered_once(db, guests)
    rows = await db.run(lambda conn: conn.execute(select(texts).where(texts.c.sending_at.is_not(None))).all())
    assert too_fast(sorted((row.sending_at.timestamp(), row.segments) for row in rows), slack=0.1) == []
    taken = sorted(
        (m.created_at.timestamp(), m.segments) for m in fleet.business.twilio.messages if m.direction != "inbound"
    )
    assert too_fast(taken, slack=3.0) == []


def too_fast(sent, *, slack):
    """Every stretch of time in which more segments left than its seconds allow; `slack` is for the way to Twilio."""
    found = []
    for n, (begun, _) in enumerate(sent):
        segments = 0
        for at, size in sent[n:]:
            segments += size
            if segments - size > RATE * (at - begun + HEADROOM.total_seconds() + slack):
                found.append((begun, at, segments))
    return found


async def test_workers_hear_of_texts_at_once_again_after_their_listeners_were_cut(fleet, db, database_url):
    await fleet.start(web=1, workers=2)
    with psycopg.connect(database_url, autocommit=True) as admin:
        await until(lambda: len(listening(admin)) == 2)
        before = listening(admin)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(before)])
        await until(lambda: len(listening(admin) - before) == 2)
    assert len(events(fleet.workers, "listener_lost")) == 2
    for guest in range(3):
        await fleet.phone(guest).text(f"Hi, I am guest {guest}.")
        await fleet.phone(guest).wait_for(1, timeout=POLLS - 0.5)
    await fleet.everyone_was_answered_once(db, range(3))


def listening(admin):
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'replyline-listen' AND state = 'idle'"
    )
    return {pid for (pid,) in admin.execute(query)}


async def test_a_database_that_is_restarted_under_load_loses_nothing(fleet):
    with postgres_database() as database:
        fleet.business.environment["REPLYLINE_DATABASE_URL"] = database.url
        await fleet.start(web=2, workers=2)
        guests = range(40)
        texting = asyncio.create_task(fleet.text(guests, over=12))
        for _ in range(3):
            await asyncio.sleep(3)
            await asyncio.to_thread(database.trouble.control, "stop")
            await asyncio.to_thread(database.trouble.control, "start")
        await texting
        db = open_db(database.url)
        await fleet.everyone_was_answered_once(db, guests)
        await db.close()
        fleet.business.end_all()
