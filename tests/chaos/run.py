"""One run: the load is kept up while the monkey rages, then everything comes to rest and is counted."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from replyline.db import Db, open_db
from replyline.db.tables import texts
from replyline.simulator import DeliveryTimes, SimulatedTwilio
from replyline.simulator.mishaps import (
    BROKEN,
    BROKEN_AFTER_ACCEPTING,
    DROPPED,
    DROPPED_AFTER_ACCEPTING,
    SILENT_AFTER_ACCEPTING,
    STAYS_SENT,
    THROTTLED,
    UNREACHABLE,
    Fault,
    WebhookFault,
)
from tests.chaos.brain import Brain
from tests.chaos.count import Found, Rows, Witnesses, count, rows_of
from tests.chaos.databases import Database
from tests.chaos.line import LINE
from tests.chaos.monkey import Monkey
from tests.chaos.people import People
from tests.chaos.plan import Plan
from tests.llm.openai_server import OpenAIServer
from tests.support.launcher import Launcher
from tests.support.processes import open_business
from tests.support.to_do import TO_DO

RETRIES = "#rc=3&rp=5xx,ct,rt"  # as the guide says it should be
FAULTS: dict[str, Any] = {
    "requests": {
        THROTTLED: 0.02,
        BROKEN: 0.01,
        BROKEN_AFTER_ACCEPTING: 0.01,
        DROPPED: 0.01,
        DROPPED_AFTER_ACCEPTING: 0.01,
        SILENT_AFTER_ACCEPTING: 0.005,
        Fault.slow(3, after_accepting=True): 0.02,
    },
    "messages": {UNREACHABLE: 0.02, STAYS_SENT: 0.05},
    "webhooks": {
        WebhookFault.LOST: 0.02,
        WebhookFault.TWICE: 0.05,
        WebhookFault.TWICE_AT_ONCE: 0.02,
        WebhookFault.late(2): 0.05,
    },
}
AT_ONCE = 20  # turns in one process: of 200, most wait, so that a turn is not killed so often that it is given up
UNTIL_QUIET = (
    420.0  # seconds; a text in doubt takes half a minute, one that has to be found four, when Twilio fails too
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has come to."""

    plan: Plan
    found: list[Found]
    numbers: dict[str, int]  # what happened, in the order it is told
    seconds: float

    @property
    def bad(self) -> list[str]:
        """Everything that must not have happened."""
        return [f"{each.what}: {case}" for each in self.found for case in each.cases]


async def run(
    plan: Plan, database: Database, folder: Path, launcher: Launcher, say: Callable[[str], None] = print
) -> Outcome:
    """Do what the plan says to a business in this folder."""
    began = time.monotonic()
    brain = Brain(plan.seed, fails=plan.has_faults)
    twilio = SimulatedTwilio(delivery=DeliveryTimes(until_sent=0.3, until_delivered=0.7))
    people = People(plan, twilio)
    if plan.has_faults:
        twilio.faults.at_random(seed=plan.seed, **FAULTS)
    (folder / "ledger").mkdir()
    async with twilio.serving(), OpenAIServer(brain) as model:
        business = open_business(folder, database.url, twilio, model, line=LINE, retries=RETRIES)
        business.launcher = launcher
        business.environment["REPLYLINE_AT_ONCE"] = str(AT_ONCE)
        monkey = Monkey(plan, business, brain, people, database.trouble if plan.troubles else None)
        db = open_db(database.url)
        telling = asyncio.create_task(tell(plan, people, monkey, say))
        try:
            await monkey.start()
            raging = asyncio.create_task(monkey.rage())
            await first_of(people.talk(monkey.enough), raging)
            monkey.tired.set()
            await raging  # what it has broken it mends
            await monkey.restart_all()
            await people.end()
            await quiet(db, twilio)
            await twilio.settle(30)
            rows = await rows_of(db)
            found = count(people, brain, rows, folder / "ledger")
            numbers = numbers_of(people, brain, monkey, rows, folder)
        finally:
            telling.cancel()
            business.end_all()
            await db.close()
    return Outcome(plan=plan, found=found, numbers=numbers, seconds=time.monotonic() - began)


async def first_of(talking: "asyncio.Future[None]", raging: "asyncio.Task[None]") -> None:
    """Until everyone has begun; what the monkey raises is raised."""
    task = asyncio.ensure_future(talking)
    await asyncio.wait({task, raging}, return_when=asyncio.FIRST_COMPLETED)
    if raging.done():
        task.cancel()
        raging.result()
    await task


async def quiet(db: Db, twilio: SimulatedTwilio) -> None:
    """Wait until every text is found and no work is left: then nobody can be texted any more. What stays is counted."""
    came = {each.sid for each in twilio.messages if each.direction == "inbound"}
    with suppress(TimeoutError):
        async with asyncio.timeout(UNTIL_QUIET):
            while await db.run(is_busy, came):
                await asyncio.sleep(0.5)


def is_busy(conn: Connection, came: set[str]) -> bool:
    stored = conn.execute(select(texts.c.sid).where(texts.c.is_inbound)).scalars()
    return not came <= set(stored) or conn.execute(TO_DO).first() is not None


async def tell(plan: Plan, people: People, monkey: Monkey, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(15)
        say(f"  {people.begun} conversations ({people.in_flight} in flight), {monkey.done['moments']} kills")


def numbers_of(people: People, brain: Brain, monkey: Monkey, rows: Rows, folder: Path) -> dict[str, int]:
    witness = Witnesses(people, rows, folder / "ledger")
    logged = events_in(folder)
    trouble = {monkey.trouble.name: monkey.trouble.times} if monkey.trouble else {}
    return {
        "conversations": people.begun,
        "in flight at a kill (median)": round(median(monkey.in_flight or [0])),
        "texts in": sum(people.written.values()),
        "of these never acknowledged": witness.never_acknowledged,
        "texts out": len(rows.outbound),
        "people who sent STOP": len(people.stopped),
        "kills": monkey.done["web killed"] + monkey.done["worker killed"],
        "at so many moments": monkey.done["moments"],
        **trouble,
        "commits that failed": logged["claim_failed"] + logged["text_not_stored"],
        "turns gone on with after a death": sum(row.runs > 1 for row in rows.turns.values()),
        "looks for a text in doubt": logged["doubt_looked_into"],
        "model failures": brain.failures.total(),
        "answered with the fallback text": witness.fallbacks,
    }


def events_in(folder: Path) -> Counter[str]:
    """How often each event is in the logs."""
    found: Counter[str] = Counter()
    for log in folder.glob("*.log"):
        found.update(re.findall(r'"event": ?"(\w+)"', log.read_text()))
    return found
