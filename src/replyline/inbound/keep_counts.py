"""What a process counts at its webhooks, written down twice a minute: the one that looks whether all is well is another."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from replyline.alerts import tallies
from replyline.clock import Clock
from replyline.db import Db
from replyline.inbound.webhooks import Counts
from replyline.log import get_log

EVERY = 30.0  # seconds
KEPT = ("texts_not_stored", "reports_not_stored", "wrongly_signed", "delivery_reports")

log = get_log(__name__)


@contextlib.asynccontextmanager
async def keeping(counts: Counts, db: Db, clock: Clock) -> AsyncIterator[None]:
    """Write the counts down while this is entered, and once more at its end."""
    written: Counter[str] = Counter()
    task = asyncio.create_task(go_on_keeping(counts, written, db, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await keep(counts, written, db, clock)


async def go_on_keeping(counts: Counts, written: Counter[str], db: Db, clock: Clock) -> None:
    while True:
        await clock.sleep(EVERY)
        await keep(counts, written, db, clock)


async def keep(counts: Counts, written: Counter[str], db: Db, clock: Clock) -> None:
    """Write down what has been counted since. What cannot be written is written the next time."""
    new = {name: counts.seen[name] - written[name] for name in KEPT if counts.seen[name] > written[name]}
    if not new:
        return
    written.update(new)
    try:
        await db.run(tallies.add, new, clock.now())
    except Exception:  # most often the very reason why a text was not stored
        written.subtract(new)
        log.exception("counts_not_kept")
