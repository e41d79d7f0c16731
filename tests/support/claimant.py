"""A process that claims texts at the same time as others: each in a transaction of its own, as many at once as it can.

Says `ready` when it holds its texts' work, goes on when it reads a line, and says how many texts may leave.
"""

import asyncio
import sys

from replyline.db import open_db
from replyline.outbound.claim import Departures, Leave
from replyline.outbound.queue import KIND
from replyline.plugins.budgets import Budget
from replyline.rules.rulebook import read_rulebook
from replyline.work import claim
from tests.support.cast import MONDAY, a_line


async def main(url: str, owner: str, how_many: str, amount: str) -> None:
    db = open_db(url)
    line = a_line(budgets=[Budget(amount, for_replies=0)], notices_need="none")
    departures = Departures(line, read_rulebook(), b"secret")
    jobs = await db.run(claim, owner=owner, kinds=[KIND], limit=int(how_many), now=MONDAY)
    print("ready", len(jobs), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    begun = await asyncio.gather(*(db.run(departures.begin_alone, job, MONDAY) for job in jobs))
    print(sum(isinstance(each, Leave) for each in begun), flush=True)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
