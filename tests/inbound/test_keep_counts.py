"""What a process counts at its webhooks is there for others to see."""

import asyncio
from collections import Counter
from datetime import timedelta

from replyline.alerts import tallies
from replyline.db import open_db
from replyline.inbound.keep_counts import keep, keeping
from replyline.inbound.webhooks import Counts


async def kept(db, clock):
    return await db.run(tallies.since, clock.now() - timedelta(hours=1), clock.now())


async def test_counts_of_several_processes_add_up(db, clock):
    one, other = Counts(), Counts()
    for counts in (one, other):
        async with keeping(counts, db, clock):
            counts.seen["texts_not_stored"] += 2
            counts.seen["texts_new"] += 9  # has rows of its own
    assert await kept(db, clock) == {"texts_not_stored": 4}


async def test_counts_are_written_while_the_server_runs_and_each_once(db, clock):
    counts = Counts()
    async with keeping(counts, db, clock):
        counts.seen["delivery_reports"] += 3
        async with asyncio.timeout(5):
            while not await kept(db, clock):
                clock.advance(seconds=10)
                await asyncio.sleep(0.01)
        counts.seen["delivery_reports"] += 1
    assert await kept(db, clock) == {"delivery_reports": 4}


async def test_what_the_database_did_not_take_is_written_when_it_does(db, database_url, clock):
    counts, written = Counts(), Counter()
    counts.seen["texts_not_stored"] += 1
    away = open_db(database_url)
    await away.close()
    await keep(counts, written, away, clock)
    counts.seen["texts_not_stored"] += 1
    await keep(counts, written, db, clock)
    await keep(counts, written, db, clock)
    assert await kept(db, clock) == {"texts_not_stored": 2}
