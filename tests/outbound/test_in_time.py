"""A request that could not leave in time does not leave: others may have found out, and gone on, meanwhile."""

import asyncio
import socket
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import select, update

from replyline.conversations.delivery import Status
from replyline.db.tables import texts, work
from replyline.outbound.claim import Departures
from replyline.outbound.queue import KIND
from replyline.outbound.say import say
from replyline.outbound.send import LEAVES_WITHIN, Sent, record
from replyline.rules import verdict
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.twilio.client import InDoubt, Outgoing, TooLate, TwilioClient
from replyline.work import claim
from tests.support.agreed import agree
from tests.support.cast import ANA, GYM_NUMBER, a_line
from tests.support.post import SECRET

BOOK = read_rulebook()


@pytest.fixture
async def queued(db, clock):
    """A text that waits to be sent."""
    await db.run(agree, "gym", ANA, clock.now())
    return await db.run(
        say,
        line="gym",
        phone=ANA,
        our_address=GYM_NUMBER,
        body="See you at six.",
        purpose=Purpose.TRANSACTIONAL,
        now=clock.now(),
    )


async def test_a_process_that_stood_still_after_the_claim_sends_only_after_another(post, clock):
    stood_still = []

    @post.line.rule
    def stand_still(facts, now):
        if not stood_still:
            clock.advance(seconds=LEAVES_WITHIN.total_seconds())
            stood_still.append(now)
        return verdict.Send()

    text_id = post.say()
    with structlog.testing.capture_logs() as logs:
        await post.work()
    assert [entry["event"] for entry in logs] == ["text_put_back", "text_sent"]
    assert (len(post.twilio.messages), post.status(text_id), post.row(text_id).attempts) == (1, "sent", 2)


async def test_a_request_whose_connection_took_too_long_is_never_written(a_client):
    """The other side takes no connections until the time is over. Then it takes them, and nothing comes over one."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as filling:
        server.setblocking(False)
        filling.connect(server.getsockname())
        is_in_time = True
        creating = asyncio.create_task(a_client(server).create(AN_OUTGOING, in_time=lambda: is_in_time))
        await asyncio.sleep(0.2)
        assert not creating.done()
        is_in_time = False
        written = []
        taking = asyncio.create_task(take_all(server, written))
        with pytest.raises(TooLate):
            await creating
        await asyncio.sleep(0.1)
        taking.cancel()
        assert written == []


async def test_a_request_that_is_in_time_is_written(a_client):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        written = []
        taking = asyncio.create_task(take_all(server, written))
        with pytest.raises(InDoubt):
            await a_client(server).create(AN_OUTGOING, in_time=lambda: True)
        taking.cancel()
        assert b"".join(written).startswith(b"POST ")


async def test_a_client_is_cut_off_when_nothing_comes_back_until_something_does(a_client):
    calls = []

    async def answer_the_third(reader, writer):
        calls.append(await reader.readuntil(b"\r\n\r\n"))
        if len(calls) == 3:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer_the_third, "127.0.0.1") as server:
        client = a_client(server.sockets[0])
        seen = []
        for _ in range(3):
            with pytest.raises(InDoubt):
                await client.create(AN_OUTGOING)
            seen.append(client.is_cut_off)
    assert seen == [False, True, False]


AN_OUTGOING = Outgoing(
    to=ANA,
    sender=GYM_NUMBER,
    messaging_service_sid=None,
    body="Hi",
    media_urls=[],
    status_callback="http://127.0.0.1:9/s",
)


@pytest.fixture
async def a_client():
    clients = []

    def make(server):
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        clients.append(TwilioClient(account_sid="AC1", username="u", password="p", url=url))
        return clients[-1]

    yield make
    for each in clients:
        await each.close()


async def take_all(server, written):
    """Take connections, keep the first bytes that come over each, and hang up."""
    loop = asyncio.get_running_loop()
    while True:
        connection, _ = await loop.sock_accept(server)
        with connection:
            if first := await loop.sock_recv(connection, 65536):
                written.append(first)


@pytest.fixture
async def overtaken(db, clock, queued):
    """What a worker holds whose lease has ended while it was sending, and another has taken the text up."""
    line = a_line()
    job, leave = await take_up(db, clock, line, "slow")
    clock.advance(seconds=31)
    await take_up(db, clock, line, "next")
    return job, leave.text


async def take_up(db, clock, line, owner):
    (job,) = await db.run(claim, owner=owner, kinds=[KIND], limit=1, now=clock.now())
    return job, await db.run(Departures(line, BOOK, SECRET).begin_alone, job, clock.now())


@pytest.mark.parametrize("status", [Status.QUEUED, Status.FAILED, Status.UNKNOWN])
async def test_a_worker_that_was_overtaken_says_nothing_of_a_text_that_another_may_be_sending(
    db, clock, overtaken, status
):
    job, text = overtaken
    await set_status(db, "sending")
    with structlog.testing.capture_logs() as logs:
        await db.gather(record, Sent(job=job, text=text, status=status, now=clock.now(), why="?", try_at=clock.now()))
    assert await state(db) == ("sending", None)
    assert [entry["event"] for entry in logs] == ["lease_lost"]
    (row,) = await db.run(lambda conn: conn.execute(select(work)).all())
    assert row.owner == "next"


@pytest.mark.parametrize("status", ["unknown", "queued", "sending"])
async def test_what_twilio_took_is_never_sent_again_though_its_worker_was_overtaken(db, clock, overtaken, status):
    job, text = overtaken
    await set_status(db, status)
    await db.gather(record, Sent(job=job, text=text, status=Status.SENT, now=clock.now(), sid="SM1"))
    assert await state(db) == ("sent", "SM1")
    clock.advance(seconds=31)
    await take_up(db, clock, a_line(), "third")
    assert await state(db) == ("sent", "SM1")
    assert await db.run(lambda conn: conn.execute(select(work)).all()) == []


async def test_a_text_that_was_sent_twice_is_told_loudly(db, clock, overtaken):
    job, text = overtaken
    await db.run(lambda conn: conn.execute(update(texts).values(status="sent", sid="SM1")))
    with structlog.testing.capture_logs() as logs:
        await db.gather(record, Sent(job=job, text=text, status=Status.SENT, now=clock.now(), sid="SM2"))
    assert await state(db) == ("sent", "SM1")
    assert ("text_sent_twice", "error") in [(entry["event"], entry["log_level"]) for entry in logs]


async def set_status(db, status):
    await db.run(lambda conn: conn.execute(update(texts).values(status=status)))


async def state(db):
    row = await db.run(lambda conn: conn.execute(select(texts)).one())
    return row.status, row.sid


def test_a_request_ends_before_anybody_may_take_its_text_for_lost():
    from replyline.outbound.reconcile import CERTAIN_AFTER
    from replyline.twilio.wire import LONGEST
    from replyline.work import LEASE

    assert LEAVES_WITHIN + timedelta(seconds=LONGEST) < min(CERTAIN_AFTER, LEASE)
