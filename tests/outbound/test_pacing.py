"""Each sender goes at its rate; replies overtake; nobody waits for another's sender; Twilio's wish to slow down is heard."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from replyline.db import open_db
from replyline.db.tables import senders, texts, work
from replyline.outbound.queue import KIND
from replyline.outbound.say import say
from replyline.outbound.send import Send
from replyline.outbound.senders import AHEAD, State, next_day, part_now
from replyline.plugins.senders import Sender
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.simulator import BROKEN, INSTANT, THROTTLED, Fault, SimulatedTwilio
from replyline.twilio.client import TwilioClient
from replyline.twilio.wire import seconds_of
from replyline.work.worker import Pool, Worker
from tests.support.agreed import agree
from tests.support.cast import ANA, CLEO, GYM_NUMBER, MONDAY, a_line
from tests.support.clocks import RunningClock
from tests.support.post import LINKS, SECRET

OTHER_NUMBER = "+14155550177"
REPLY = Purpose.CONVERSATIONAL_REPLY
FULL_QUEUE = Fault(status=400, code=21611)


def sent(post):
    return [message.body for message in post.twilio.messages]


def row_of(post, address=GYM_NUMBER):
    return next(row for row in post.rows(senders) if row.address == address)


@pytest.fixture
def slow_post(make_post):
    """A gym that may send one segment a second."""
    return make_post(segments_per_second=1.0)


async def test_a_reply_leaves_at_once_though_a_campaign_waits_for_the_same_sender(slow_post):
    post = slow_post
    for n in range(30):
        post.say(f"news {n}", purpose=Purpose.MARKETING)
    for _ in range(5):
        await post.work(seconds=1)
    assert len(sent(post)) < 30
    post.say("Yes, at six.", purpose=REPLY)
    await post.work()
    assert sent(post)[-1] == "Yes, at six."


async def test_notices_overtake_a_campaign_and_replies_overtake_notices(slow_post):
    post = slow_post
    await fill(post)
    for purpose in (Purpose.MARKETING, Purpose.TRANSACTIONAL, REPLY):
        post.say(purpose.value, purpose=purpose)
    seen = len(sent(post))
    for _ in range(12):
        await post.work(seconds=1)
    assert sent(post)[seen:] == [REPLY.value, Purpose.TRANSACTIONAL.value, Purpose.MARKETING.value]


async def test_a_text_that_has_no_room_is_not_touched(slow_post):
    post = slow_post
    await fill(post)
    waiting = [post.say(f"later {n}", purpose=Purpose.MARKETING) for n in range(5)]
    before = post.rows(work)
    await post.work()
    await post.work(seconds=0.2)
    assert post.rows(work) == before
    assert [post.row(text_id).why for text_id in waiting] == [None] * 5


async def test_a_sender_without_room_does_not_hold_up_another(make_post):
    post = make_post(
        senders=[
            Sender(GYM_NUMBER, registered_in=["US"], segments_per_second=1),
            Sender(OTHER_NUMBER, registered_in=["US"], segments_per_second=100),
        ]
    )
    post.twilio.add_number(OTHER_NUMBER)
    for n in range(60):
        post.say(f"slow {n}")
    for n in range(60):
        post.say(f"fast {n}", our_address=OTHER_NUMBER)
    await post.work()
    assert {each for each in sent(post) if each.startswith("fast")} == {f"fast {n}" for n in range(60)}
    assert sum(each.startswith("slow") for each in sent(post)) < 10


async def test_texts_leave_in_the_order_they_were_queued(slow_post):
    post = slow_post
    for n in range(8):
        post.say(f"text {n}")
        post.clock.advance(seconds=0.001)
    for _ in range(8):
        await post.work(seconds=1)
    assert sent(post) == [f"text {n}" for n in range(8)]


async def test_a_text_of_many_segments_takes_as_much_room(slow_post):
    post = slow_post
    post.say("x" * 1500, purpose=Purpose.MARKETING)
    post.say("short", purpose=Purpose.MARKETING)
    await post.work()
    for _ in range(8):
        await post.work(seconds=1)
    assert sent(post) == ["x" * 1500]
    await post.work(seconds=2)
    assert len(sent(post)) == 2


async def test_a_canceled_text_takes_no_room(slow_post):
    post = slow_post
    for n in range(20):
        post.say(f"text {n}")
    post.db.run_blocking(lambda conn: conn.execute(update(texts).values(status="canceled")))
    post.say("the only one")
    await post.work()
    assert sent(post) == ["the only one"]


async def test_after_a_429_every_sender_goes_more_slowly_and_recovers(make_post):
    post = make_post(segments_per_second=10)
    post.twilio.add_number(OTHER_NUMBER)
    post.say("from the other", our_address=OTHER_NUMBER)
    await post.work()
    post.twilio.faults.next_creates(THROTTLED, times=1)
    first = post.say("first")
    await post.work()
    assert (post.status(first), post.row(first).attempts) == ("queued", 1)
    now = post.clock.now()
    assert {row.slowed_to for row in post.rows(senders)} == {0.5}
    assert {row.closed_until for row in post.rows(senders)} == {now + timedelta(seconds=1)}
    await post.work(seconds=1)
    assert sent(post) == ["from the other", "first"]
    assert 0.5 <= part_of(row_of(post), post.clock.now()) < 0.6
    assert part_of(row_of(post), post.clock.now() + timedelta(minutes=5)) == 1


async def test_many_texts_that_are_told_to_slow_down_at_once_are_one_event(post):
    post.twilio.faults.next_creates(THROTTLED, times=4)
    for n in range(4):
        post.say(f"text {n}")
    await post.work()
    assert row_of(post).slowed_to == 0.5
    await post.work(seconds=60)
    assert len(sent(post)) == 4


async def test_a_throttled_text_does_not_wait_longer_each_time(post):
    post.twilio.faults.next_creates(THROTTLED, times=6)
    text_id = post.say()
    for _ in range(7):
        await post.work(seconds=1.1)
    assert post.status(text_id) == "sent"


async def test_retry_after_is_heeded(post):
    from replyline.outbound.slow_down import of_account, slow_down

    post.say("first")
    await post.work()
    post.db.run_blocking(slow_down, of_account(30.0), post.clock.now())
    text_id = post.say("second", purpose=REPLY)
    await post.work(seconds=29)
    assert post.status(text_id) == "queued"
    await post.work(seconds=1)
    assert post.status(text_id) == "sent"


async def test_no_retry_after_stops_everybody_for_long(post):
    post.twilio.faults.next_creates(Fault(status=429, code=20429, retry_after=86_400))
    text_id = post.say(purpose=REPLY)
    await post.work()
    assert post.status(text_id) == "queued"
    await post.work(seconds=300)
    assert post.status(text_id) == "sent"


@pytest.mark.parametrize(
    ("words", "seconds"), [("3", 3), ("0.5", 0.5), ("soon", None), ("-5", None), ("nan", None), ("inf", None)]
)
def test_a_retry_after_that_is_no_time_is_none(words, seconds):
    assert seconds_of({"Retry-After": words}) == seconds


async def test_a_full_queue_at_twilio_pauses_that_sender_alone(post):
    post.twilio.add_number(OTHER_NUMBER)
    post.twilio.faults.next_creates(FULL_QUEUE)
    waits = post.say("one too many")
    await post.work()
    post.say("from another", our_address=OTHER_NUMBER)
    await post.work(seconds=1)
    assert (sent(post), post.status(waits)) == (["from another"], "queued")
    await post.work(seconds=60)
    assert post.status(waits) == "sent"


@pytest.mark.parametrize(("code", "closed_for"), [(30001, timedelta(minutes=1)), (30022, timedelta(seconds=1))])
async def test_a_report_that_a_sender_goes_too_fast_slows_it_down(post, code, closed_for):
    text_id = post.say()
    await post.work()
    post.report("failed", text_id=text_id, sid=post.row(text_id).sid, error_code=code)
    row = row_of(post)
    assert (row.slowed_to, row.closed_until) == (0.5, post.clock.now() + closed_for)
    assert post.status(text_id) == "failed"


async def test_a_report_about_one_person_slows_nobody_down(post):
    text_id = post.say()
    await post.work()
    post.report("undelivered", text_id=text_id, sid=post.row(text_id).sid, error_code=30003)
    assert (row_of(post).slowed_to, row_of(post).closed_until) == (1, None)


REGISTERED = Sender(GYM_NUMBER, registration="score 50 to 74", daily_cap=10)


async def test_past_the_daily_cap_texts_wait_for_midnight_pacific_and_replies_have_a_share_of_their_own(make_post):
    post = make_post(senders=[REGISTERED])
    for n in range(12):
        post.say(f"notice {n}")
    await post.work()
    assert len(sent(post)) == 9
    lasts = next_day(post.clock.now()) - post.clock.now()
    late = post.clock.now() + 2 * lasts
    replies = [post.say(f"reply {n}", purpose=REPLY, expires_at=late) for n in range(2)]
    await post.work()
    assert [post.status(each) for each in replies].count("sent") == 1
    assert row_of(post, "brand gym").sent_that_day == 10
    await post.work(seconds=lasts.total_seconds() - 1)
    assert len(sent(post)) == 10
    await post.work(seconds=1)
    assert [post.status(each) for each in replies] == ["sent"] * 2
    await post.work(seconds=12 * 3600)
    assert len(sent(post)) == 14


async def test_the_daily_cap_is_of_the_brand_whichever_number_the_text_leaves_from(make_post):
    other = Sender(OTHER_NUMBER, registration="score 50 to 74", daily_cap=10)
    post = make_post(senders=[REGISTERED, other])
    post.twilio.add_number(OTHER_NUMBER)
    for n in range(6):
        post.say(f"text {n}")
        post.say(f"text {n}", our_address=OTHER_NUMBER)
    await post.work()
    assert len(sent(post)) == 9


async def test_a_process_whose_day_ends_a_moment_later_does_not_begin_the_old_day_anew(make_post):
    post = make_post(senders=[REGISTERED])
    post.clock.set("2026-03-03 00:00 America/Los_Angeles")
    for n in range(4):
        post.say(f"text {n}", purpose=REPLY)
    await post.work()
    post.clock.set("2026-03-02 23:59:59.9 America/Los_Angeles")
    post.say("a moment before", purpose=REPLY)
    await post.work()
    assert (row_of(post, "brand gym").day, row_of(post, "brand gym").sent_that_day) == ("2026-03-03", 5)


async def test_a_line_with_the_longest_key_has_a_daily_cap_too(make_post):
    key = "g" * 64
    post = make_post(senders=[REGISTERED], key=key)
    text_id = post.say(line=key)
    await post.work()
    assert post.status(text_id) == "sent"


async def test_a_text_that_meets_the_cap_says_why_it_waits(make_post):
    post = make_post(senders=[REGISTERED])
    post.say("x" * 1500, purpose=REPLY)  # ten segments
    post.clock.advance(seconds=0.001)
    waits = post.say("short", purpose=REPLY)
    await post.work()
    why = "its brand has sent what it may today (10); the day ends at midnight US Pacific"
    assert (post.status(waits), post.row(waits).why) == ("queued", why)
    assert len(sent(post)) == 1


@pytest.mark.parametrize(
    ("fault", "seconds"), [(THROTTLED, 5), (BROKEN, 60)], ids=["throttled", "in doubt, and not in Twilio's list"]
)
async def test_what_never_left_does_not_use_up_the_day(make_post, fault, seconds):
    post = make_post(senders=[REGISTERED])
    post.twilio.faults.next_creates(fault, times=12)
    text_id = post.say(purpose=REPLY)
    for _ in range(15):
        await post.work(seconds=seconds)
        await post.work(seconds=seconds)
    assert (post.status(text_id), post.row(text_id).attempts) == ("sent", 13)
    assert row_of(post, "brand gym").sent_that_day == 1


async def test_what_twilio_refuses_does_not_use_up_the_day(make_post):
    post = make_post(senders=[REGISTERED])
    post.twilio.faults.next_creates(Fault(status=400, code=21211))
    text_id = post.say(purpose=REPLY)
    await post.work()
    assert (post.status(text_id), row_of(post, "brand gym").sent_that_day) == ("failed", 0)


async def test_the_carriers_word_that_the_day_is_over_pauses_the_brand_until_midnight(make_post):
    post = make_post(senders=[Sender(GYM_NUMBER, registration="score 50 to 74")])
    text_id = post.say()
    await post.work()
    post.report("undelivered", text_id=text_id, sid=post.row(text_id).sid, error_code=30023)
    waits = post.say("tomorrow", purpose=REPLY, expires_at=post.clock.now() + timedelta(days=1))
    await post.work(seconds=3600)
    assert post.status(waits) == "queued"
    assert "30023" in row_of(post, "brand gym").why
    await post.work(seconds=(next_day(post.clock.now()) - post.clock.now()).total_seconds())
    assert post.status(waits) == "sent"


async def test_word_of_a_day_that_is_over_does_not_pause_the_next(make_post):
    post = make_post(senders=[Sender(GYM_NUMBER, registration="score 50 to 74")])
    late = post.say()
    await post.work()
    await post.work(seconds=(next_day(post.clock.now()) - post.clock.now()).total_seconds() + 1)
    post.report("undelivered", text_id=late, sid=post.row(late).sid, error_code=30023)
    text_id = post.say(purpose=REPLY)
    await post.work()
    assert post.status(text_id) == "sent"


async def test_the_accounts_limit_for_24_hours_pauses_every_sender_for_an_hour_instead_of_losing_what_waits(make_post):
    post = make_post(senders=[Sender(GYM_NUMBER, registration="score 50 to 74")])
    text_id = post.say()
    await post.work()
    post.clock.advance(minutes=10)  # the news is late
    post.report("failed", text_id=text_id, sid=post.row(text_id).sid, error_code=63038)
    waits = post.say("later", purpose=REPLY, expires_at=post.clock.now() + timedelta(days=1))
    await post.work(seconds=49 * 60)
    assert post.status(waits) == "queued"
    await post.work(seconds=3 * 60)
    assert post.status(waits) == "sent"


@pytest.mark.parametrize(
    ("at", "midnight"),
    [
        ("2026-03-07 23:59 America/Los_Angeles", "2026-03-08 00:00 America/Los_Angeles"),
        ("2026-03-08 12:00 America/Los_Angeles", "2026-03-09 00:00 America/Los_Angeles"),
        ("2026-11-01 00:00 America/Los_Angeles", "2026-11-02 00:00 America/Los_Angeles"),
    ],
)
def test_the_day_ends_at_midnight_pacific_also_when_the_clocks_change(at, midnight):
    from replyline.clock import as_utc

    assert next_day(as_utc(at)) == as_utc(midnight)


async def test_pictures_are_paced_apart_from_texts(slow_post):
    post = slow_post
    await fill(post)
    text_id = post.say("Look", media_urls=["https://gym.example/a.jpg"])
    await post.work()
    assert post.status(text_id) == "sent"


async def test_a_text_in_doubt_is_looked_up_though_its_sender_is_paused(post):
    from replyline.outbound.slow_down import SlowDown, slow_down
    from replyline.simulator import BROKEN_AFTER_ACCEPTING

    post.twilio.faults.next_creates(BROKEN_AFTER_ACCEPTING)
    text_id = post.say()
    await post.work()
    assert post.status(text_id) == "unknown"
    closed = SlowDown(names=None, wait=timedelta(hours=9), why="a test")
    post.db.run_blocking(slow_down, closed, post.clock.now())
    await post.work(seconds=10)
    assert post.status(text_id) in {"sent", "delivered"}


async def test_a_process_that_died_while_sending_holds_no_place_in_line(slow_post):
    """Its text is looked up when its lease ends, not behind the texts that were queued since."""
    post = slow_post
    await fill(post)
    text_id = post.say("in flight", purpose=REPLY)
    await post.work()
    post.db.run_blocking(lambda conn: as_a_crash_leaves_it(conn, text_id, post.clock.now()))
    for n in range(5):
        post.say(f"later {n}", purpose=REPLY)
    await post.work(seconds=0)
    post.clock.advance(seconds=31)
    before = len(sent(post))
    await post.work()
    assert post.status(text_id) in {"sent", "delivered"}
    assert len(sent(post)) > before


def as_a_crash_leaves_it(conn, text_id, now):
    from replyline.work import LEASE, arm

    conn.execute(update(texts).where(texts.c.id == text_id).values(status="sending", sid=None, sending_at=now))
    arm(conn, kind=KIND, key=text_id, due=now + LEASE, now=now, priority=1)


@pytest.mark.parametrize("which", [Purpose.MARKETING, Purpose.TRANSACTIONAL])
async def test_two_processes_together_never_send_faster_than_the_rate(database_url, which):
    rate, count = 40, 120
    clock = RunningClock(MONDAY)
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT)
    twilio.add_number(GYM_NUMBER)
    line = a_line(senders=[Sender(GYM_NUMBER, registered_in=["US"], segments_per_second=rate)])
    async with twilio.serving() as url, two_processes(database_url, line, clock, twilio, url) as db:
        now = clock.now()
        for n in range(count):
            await db.run(say_to, f"+1212555{n:04}", now, which)
        async with asyncio.timeout(60):
            while len(twilio.messages) < count:
                await asyncio.sleep(0.05)
        rows = await db.run(lambda conn: conn.execute(select(texts.c.sending_at, texts.c.attempts)).all())
    left = sorted(row.sending_at for row in rows)
    assert [row.attempts for row in rows] == [1] * count
    assert len({message.body for message in twilio.messages}) == count
    for first, at in enumerate(left):
        for last in range(first, count):
            seconds = (left[last] - at).total_seconds()
            most = rate * (seconds + AHEAD[5].total_seconds()) + 1
            assert last - first + 1 <= most + 1e-6, f"{last - first + 1} segments in {seconds} s"


def say_to(conn, phone, now, purpose):
    agree(conn, "gym", phone, now)
    return say(conn, line="gym", phone=phone, our_address=GYM_NUMBER, body=phone, purpose=purpose, now=now)


class two_processes:  # noqa: N801 - reads as a function
    """Two workers on one database, each with a connection of its own, as two processes have."""

    def __init__(self, database_url, line, clock, twilio, url):
        self.dbs = [open_db(database_url) for _ in range(2)]
        self.client = TwilioClient(
            account_sid=twilio.account_sid, username=twilio.account_sid, password=twilio.auth_token, url=url
        )
        book = read_rulebook()
        self.workers = [
            Worker(db, clock, [Pool(kinds={KIND: send}, at_once=50)])
            for db in self.dbs
            for send in [
                Send(
                    db=db,
                    clock=clock,
                    line=line,
                    book=book,
                    twilio=self.client,
                    status_url="http://x/s",
                    links=LINKS,
                    secret=SECRET,
                )
            ]
        ]

    async def __aenter__(self):
        self.running = [asyncio.create_task(worker.run()) for worker in self.workers]
        return self.dbs[0]

    async def __aexit__(self, *_):
        for worker in self.workers:
            await worker.stop(grace=10)
        await asyncio.gather(*self.running)
        await self.client.close()
        for db in self.dbs:
            await db.close()


async def test_what_expires_while_it_is_held_says_why(make_post):
    from replyline.rules.verdict import Send as MayLeave
    from replyline.rules.verdict import Wait

    post = make_post()
    tomorrow = post.clock.now() + timedelta(days=1)

    @post.line.rule
    def closed(facts, now):
        return Wait(until=tomorrow, why="we are closed") if now < tomorrow else MayLeave()

    text_id = post.say(purpose=REPLY)
    await post.work()
    assert (post.status(text_id), post.row(text_id).why) == (
        "expired",
        "It would leave past the time it was for: we are closed.",
    )
    assert post.rows(work) == []


@pytest.mark.parametrize(
    ("purpose", "valid_for"),
    [
        (Purpose.OPT_OUT_CONFIRMATION, timedelta(minutes=5)),
        (Purpose.HELP_REPLY, timedelta(minutes=5)),
        (REPLY, timedelta(hours=4)),
        (Purpose.TRANSACTIONAL, None),
        (Purpose.MARKETING, None),
    ],
)
async def test_a_text_is_good_for_as_long_as_its_purpose_makes_sense(post, purpose, valid_for):
    row = post.row(post.say(purpose=purpose))
    assert row.expires_at == (valid_for and post.clock.now() + valid_for)


async def test_twilio_is_told_how_long_a_text_is_good_for_and_never_more_than_it_takes(post):
    post.say("soon", expires_at=post.clock.now() + timedelta(minutes=5))
    post.say("long", to=CLEO, expires_at=post.clock.now() + timedelta(days=2))
    await post.work()
    assert {message.body: message.validity_seconds for message in post.twilio.messages} == {"soon": 300, "long": 36_000}


async def fill(post):
    """Let the sender use up all that it may be ahead of its rate, also for replies: a second for each, and one more."""
    for n in range(7):
        post.say(f"fill {n}", to=ANA, purpose=REPLY)
    await post.work()
    await post.work()


def part_of(row, now):
    return part_now(State(**row._mapping), now)
