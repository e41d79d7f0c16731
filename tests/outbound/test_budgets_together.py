"""Many processes at one budget, and processes that die: no more leaves than there is room for, and nothing leaks."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from replyline.db import open_db
from replyline.db.tables import budgets, charges, conversations, texts
from replyline.outbound.claim import Leave
from replyline.outbound.queue import KIND
from replyline.outbound.say import say
from replyline.outbound.send import Send
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.simulator import BROKEN, BROKEN_AFTER_ACCEPTING, INSTANT, THROTTLED, Fault, SimulatedTwilio
from replyline.twilio.client import TwilioClient
from replyline.work import claim
from replyline.work.worker import Pool, Worker
from tests.outbound.test_budgets import EACH, NOTICE, REPLY, room_for
from tests.support.cast import ANA, CLEO, MONDAY, a_line
from tests.support.post import LINKS, SECRET

ROOT = Path(__file__).parents[2]
SIXTY_FOUR, PROCESSES = 64, 4


@pytest.mark.process
@pytest.mark.timeout(300)
async def test_of_64_claims_at_once_over_4_processes_exactly_as_many_leave_as_there_is_room_for(db, database_url):
    for n in range(SIXTY_FOUR):  # each from a number of its own, so that nothing but the budget holds them up
        await db.run(say_from, f"+1415555{n:04}", f"+1212555{n:04}")
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(claimant(database_url, f"p{n}")) for n in range(PROCESSES)]
        for each in running:
            assert await each.stdout.readline() == b"ready 16\n"
        for each in running:
            each.stdin.write(b"go\n")
        left = [int(await each.stdout.readline()) for each in running]
    rows = await db.run(lambda conn: conn.execute(select(texts.c.status)).scalars().all())
    assert (sum(left), rows.count("sending"), rows.count("queued")) == (10, 10, 54)
    [row] = await db.run(lambda conn: conn.execute(select(budgets)).all())
    assert (row.reserved_micros, row.spent_micros, row.alerted) == (10 * EACH, 0, 100)


def say_from(conn, our_address, phone):
    given = {"line": "gym", "phone": phone, "our_address": our_address, "body": "Hi", "purpose": Purpose.TRANSACTIONAL}
    return say(conn, **given, now=MONDAY)


class claimant:  # noqa: N801 - reads as a function
    """A process of `tests.support.claimant`, killed at the end if it still runs."""

    def __init__(self, url, owner):
        amount = room_for(10).amount
        self.command = [
            sys.executable,
            "-m",
            "tests.support.claimant",
            url,
            owner,
            str(SIXTY_FOUR // PROCESSES),
            amount,
        ]

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe, cwd=ROOT)
        return self.process

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def test_of_64_texts_that_4_workers_send_at_once_twilio_gets_as_many_as_there_is_room_for(database_url, clock):
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT)
    for n in range(SIXTY_FOUR):
        twilio.add_number(f"+1415555{n:04}")
    line = a_line(budgets=[room_for(10)], notices_need="none")
    async with twilio.serving() as url, AsyncExitStack() as stack:
        client = TwilioClient(
            account_sid=twilio.account_sid, username=twilio.account_sid, password=twilio.auth_token, url=url
        )
        stack.push_async_callback(client.close)
        dbs = [open_db(database_url) for _ in range(PROCESSES)]
        for each in dbs:
            stack.push_async_callback(each.close)
        for n in range(SIXTY_FOUR):
            await dbs[0].run(say_from, f"+1415555{n:04}", f"+1212555{n:04}")
        await asyncio.gather(*(a_worker(each, clock, line, client).work_until_idle() for each in dbs))
        [row] = await dbs[0].run(lambda conn: conn.execute(select(budgets)).all())
    assert len(twilio.messages) == 10
    assert (row.reserved_micros, row.spent_micros) == (0, 10 * EACH)


def a_worker(db, clock, line, client):
    send = Send(
        db=db,
        clock=clock,
        line=line,
        book=read_rulebook(),
        twilio=client,
        status_url="http://x/s",
        links=LINKS,
        secret=SECRET,
    )
    return Worker(db, clock, [Pool(kinds={KIND: send}, at_once=50)])


@pytest.mark.parametrize("seed", range(3))
async def test_crashes_anywhere_on_the_way_out_leak_nothing_of_a_budget(make_post, seed):
    rng = Random(seed)
    line = {"budgets": [room_for(25), room_for(15, of="contact")], "notices_need": "none", "jumps": None}
    post = make_post(**line, segments_per_second=1000)
    for step in range(40):
        happen = rng.choice(
            [queue_some, work_on, die_before_sending, die_after_sending, fail_at_twilio, lose_an_answer]
        )
        await happen(post, rng, step)
        check_the_books(post)
    for _ in range(4):
        post.twilio.faults.clear()
        await post.work(seconds=40)
        check_the_books(post)
    sent = len(post.twilio.messages)
    [line_budget] = [row for row in post.rows(budgets) if row.scope == "line"]
    assert line_budget.reserved_micros == 0
    assert line_budget.spent_micros == sent * EACH
    assert 0 < sent <= 25
    assert {row.status for row in post.rows(texts)} <= {"sent", "delivered", "failed", "queued"}


async def queue_some(post, rng, step):
    for n in range(rng.randint(1, 4)):
        post.say(f"text {step} {n}", to=rng.choice([ANA, CLEO]), purpose=rng.choice([NOTICE, NOTICE, REPLY]))


async def work_on(post, rng, step):
    await post.work(seconds=rng.choice([0, 1, 40]))


async def die_before_sending(post, rng, step):
    await take_up(post, rng)


async def die_after_sending(post, rng, step):
    for job, leave in await take_up(post, rng):
        await post._send._send(job, leave)  # Twilio has it, and nobody writes that down


async def fail_at_twilio(post, rng, step):
    fault = rng.choice([THROTTLED, Fault.refused(21211)])
    post.twilio.faults.next_creates(fault, times=2)
    await queue_some(post, rng, step)
    await post.work()


async def lose_an_answer(post, rng, step):
    post.twilio.faults.next_creates(rng.choice([BROKEN, BROKEN_AFTER_ACCEPTING]))
    await queue_some(post, rng, step)
    await post.work()


async def take_up(post, rng):
    """What a worker has taken up that dies now."""
    now = post.clock.now()
    jobs = await post.db.run(claim, owner="dies", kinds=[KIND], limit=rng.randint(1, 3), now=now)
    begun = [(job, await post.db.run(post._send._departures.begin_alone, job, now)) for job in jobs]
    return [(job, leave) for job, leave in begun if isinstance(leave, Leave)]


def check_the_books(post):
    """What the budgets say is what the texts and their charges add up to, at every moment."""
    rows, paid = post.rows(texts), {row.of_id: row.estimate_micros for row in post.rows(charges) if row.kind != "model"}
    talks = {row.id: row.conversation_id for row in rows}
    for budget in post.rows(budgets):
        own = [row for row in rows if budget.scope == "line" or contact_of(post, talks[row.id]) == budget.scope]
        on_its_way = [row for row in own if row.status in {"sending", "unknown"}]
        assert budget.reserved_micros == EACH * len(on_its_way)
        assert budget.spent_micros == sum(paid[row.id] for row in own if row.sid is not None)
        room = {"line": 25, "contact": 15}[budget.scope.partition(":")[0]]
        assert budget.reserved_micros + budget.spent_micros <= room * EACH


def contact_of(post, conversation_id):
    return next(f"contact:{row.contact_id}" for row in post.rows(conversations) if row.id == conversation_id)
