"""A text in doubt: we asked Twilio and never heard. What the person sees is that nothing comes twice or not at all."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import update

from replyline.alerts.raising import going_on
from replyline.conversations.delivery import Status
from replyline.db.tables import delivery_reports, texts, work
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.inbound.receive import receive
from replyline.outbound.queue import KIND
from replyline.outbound.reconcile import CERTAIN_AFTER, GIVE_UP_AFTER, patience
from replyline.outbound.send import Sent, record
from replyline.rules.facts import Purpose
from replyline.rules.verdict import Send as MayLeave
from replyline.rules.verdict import Wait
from replyline.simulator import BROKEN, BROKEN_AFTER_ACCEPTING, DROPPED, THROTTLED, Fate, Fault
from replyline.simulator import Status as MessageStatus
from replyline.watch.look import look
from replyline.work import Claimed, arm
from tests.support.cast import ANA, GYM_NUMBER, a_sid, an_arrival

CERTAIN = CERTAIN_AFTER.total_seconds()


def hold_back(post):
    """A rule of the line's that holds whatever is queued from now on, until it is lifted."""
    holding = [True]
    until = post.clock.now() + timedelta(days=1)
    post.line.rule(lambda facts, now: Wait(until=until, why="held by the test") if holding else None)
    return holding


async def in_doubt(post, body="OK", fault=BROKEN, **given):
    """A text that Twilio did not say anything about."""
    post.twilio.faults.next_creates(fault)
    text_id = post.say(body, **given)
    await post.work()
    assert post.status(text_id) == "unknown"
    return text_id


async def a_wrong_adoption(post):
    """Two texts with the same words in doubt; the one that never arrived has taken the message of the one that did."""
    never_arrived = await in_doubt(post, fault=BROKEN)
    post.clock.advance(seconds=3)
    arrived = await in_doubt(post, fault=BROKEN_AFTER_ACCEPTING)
    await post.work(3)
    await post.twilio.settle()
    (message,) = post.twilio.messages
    assert (post.row(never_arrived).sid, post.row(arrived).sid) == (message.sid, None)
    return never_arrived, arrived, message.sid


async def test_two_texts_with_the_same_words_that_both_left_are_not_sent_again(post):
    both = [await in_doubt(post, fault=BROKEN_AFTER_ACCEPTING) for _ in range(2)]
    await post.work(10)
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.screen() == ["OK", "OK"]
    assert {post.row(each).sid for each in both} == {message.sid for message in post.twilio.messages}


async def test_a_callback_gives_a_text_the_message_its_twin_had_taken_and_the_twin_is_sent_once(post):
    never_arrived, arrived, sid = await a_wrong_adoption(post)
    assert post.report("delivered", text_id=arrived, sid=sid) == [True]
    assert (post.row(arrived).sid, post.status(arrived)) == (sid, "delivered")
    assert (post.row(never_arrived).sid, post.status(never_arrived)) == (None, "unknown")
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.screen() == ["OK", "OK"]
    assert post.status(never_arrived) == "sent"


async def test_texts_that_took_each_others_messages_swap_them_and_nothing_is_sent(post):
    post.twilio.faults.next_messages(Fate(status=MessageStatus.SENT), times=2)
    first = await in_doubt(post, fault=BROKEN_AFTER_ACCEPTING)
    second = await in_doubt(post, fault=BROKEN_AFTER_ACCEPTING)
    await post.work(10)
    sids = {each: post.row(each).sid for each in (first, second)}
    post.report("undelivered", sid=sids[first], error_code=30003)
    post.report("sent", text_id=first, sid=sids[second])
    assert (post.row(first).sid, post.status(first)) == (sids[second], "sent")
    swapped = post.row(second)
    assert (swapped.sid, swapped.status, swapped.error_code) == (sids[first], "undelivered", 30003)
    assert {row.sid: row.text_id for row in post.rows(delivery_reports)} == {
        sids[first]: second,
        sids[second]: first,
    }
    await post.work(CERTAIN)
    assert len(post.twilio.messages) == 2


async def test_a_text_whose_message_was_taken_and_that_left_again_is_not_followed_by_a_third(post):
    never_arrived, arrived, sid = await a_wrong_adoption(post)
    await post.work(CERTAIN)  # not in the list any more for `arrived`, so it is sent once more
    await post.twilio.settle()
    assert post.screen() == ["OK", "OK"]
    own = post.row(arrived).sid
    post.report("delivered", text_id=arrived, sid=sid)
    await post.work(CERTAIN)
    assert (post.row(never_arrived).sid, post.status(never_arrived)) == (sid, "delivered")
    assert (post.row(arrived).sid, post.screen()) == (own, ["OK", "OK"])


async def test_nothing_is_taken_back_while_a_second_request_is_on_the_wire(post):
    never_arrived, arrived, sid = await a_wrong_adoption(post)
    post.db.run_blocking(
        lambda conn: conn.execute(update(texts).where(texts.c.id == arrived).values(status="sending", attempts=2))
    )
    post.report("delivered", text_id=arrived, sid=sid)
    assert (post.status(never_arrived), post.row(arrived).sid) == ("delivered", None)


async def test_a_message_is_not_taken_while_a_twin_that_may_own_it_is_just_leaving(post):
    twin = post.say()
    await post.work()
    text_id = await in_doubt(post, "See you at six.", fault=BROKEN)
    await post.twilio.settle()
    (message,) = post.twilio.messages
    on_the_wire = {"status": "sending", "sid": None, "sending_at": post.clock.now()}
    post.db.run_blocking(lambda conn: conn.execute(update(texts).where(texts.c.id == twin).values(**on_the_wire)))
    await post.work(10)
    assert (post.status(text_id), post.row(text_id).sid) == ("unknown", None)
    post.db.run_blocking(
        lambda conn: conn.execute(update(texts).where(texts.c.id == twin).values(status="sent", sid=message.sid))
    )
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.screen() == ["See you at six."] * 2


MAP = "https://example.com/map.png"
POSTER = "https://example.com/poster.png"


async def test_a_picture_that_left_is_not_taken_for_a_text_that_did_not(post):
    await in_doubt(post, "See you at six.", fault=BROKEN)
    post.clock.advance(seconds=3)  # so it is looked up first
    await in_doubt(post, "", fault=BROKEN_AFTER_ACCEPTING, media_urls=[MAP])
    await post.work(3)
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert sent_to_ana(post) == [("", 1), ("See you at six.", 0)]


async def test_of_two_pictures_in_doubt_nothing_is_sent_until_a_callback_says_which_of_them_left(post):
    lost = await in_doubt(post, "", fault=BROKEN, media_urls=[MAP])
    post.clock.advance(seconds=3)
    left = await in_doubt(post, "", fault=BROKEN_AFTER_ACCEPTING, media_urls=[POSTER])
    await post.work(3)
    await post.work(600)
    await post.twilio.settle()
    assert [post.status(each) for each in (lost, left)] == ["unknown", "unknown"]
    (message,) = post.twilio.messages
    post.report("delivered", text_id=left, sid=message.sid)
    await post.work(600)
    await post.twilio.settle()
    assert [post.status(each) for each in (lost, left)] == ["sent", "delivered"]
    assert len(post.twilio.messages) == 2


async def test_two_pictures_in_doubt_that_both_left_are_not_sent_again(post):
    both = [await in_doubt(post, "", fault=BROKEN_AFTER_ACCEPTING, media_urls=[url]) for url in (MAP, POSTER)]
    await post.work(10)
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert {post.row(each).sid for each in both} == {message.sid for message in post.twilio.messages}


async def test_a_redacted_message_is_not_taken_from_a_text_that_is_just_leaving(post):
    leaving = post.say("We close at nine.")
    await post.work()
    await post.twilio.settle()
    (message,) = post.twilio.messages
    text_id = await in_doubt(post, "See you at six.", fault=BROKEN)
    await post.client._messages(message.sid).update_async(body="")
    on_the_wire = {"status": "sending", "sid": None, "sending_at": post.clock.now()}
    post.db.run_blocking(lambda conn: conn.execute(update(texts).where(texts.c.id == leaving).values(**on_the_wire)))
    await post.work(10)
    assert (post.status(text_id), post.row(text_id).sid) == ("unknown", None)


def sent_to_ana(post):
    return sorted((message.body, len(message.media)) for message in post.twilio.messages if message.to == ANA)


@pytest.mark.parametrize("word", ["accepted", "queued", "sent", "delivered", "a_word_of_next_year"])
async def test_a_callback_that_comes_while_a_text_is_queued_again_stops_it(post, word):
    text_id = await in_doubt(post)
    holding = hold_back(post)
    await post.work(CERTAIN)
    assert post.status(text_id) == "queued"
    post.report(word, text_id=text_id, sid=a_sid())
    holding.clear()
    await post.work(2 * 24 * 3600)
    assert post.status(text_id) == ("delivered" if word == "delivered" else "sent")
    assert post.twilio.messages == []
    assert post.rows(work) == []


async def test_a_text_that_was_canceled_in_the_queue_and_had_left_all_the_same_is_shown_as_delivered(post):
    text_id = await in_doubt(post)
    hold_back(post)
    await post.work(CERTAIN)
    post.db.run_blocking(receive, [an_arrival("STOP", line=post.line)])
    assert post.status(text_id) == "canceled"
    post.report("delivered", text_id=text_id, sid=a_sid())
    assert (post.status(text_id), post.row(text_id).why) == ("delivered", None)


async def test_a_second_message_of_one_text_is_said_aloud_and_changes_nothing(post):
    text_id = post.say()
    await post.work()
    before = post.row(text_id)
    with structlog.testing.capture_logs() as logs:
        post.report("failed", text_id=text_id, sid=a_sid(), error_code=30003)
    assert post.row(text_id) == before
    assert [entry["text"] for entry in logs if entry["event"] == "text_sent_twice"] == [text_id]
    assert [row.text_id for row in post.rows(delivery_reports)] == [text_id]


@pytest.mark.parametrize(
    "fault", [BROKEN, DROPPED, THROTTLED, Fault(status=401, code=20003), Fault(status=404, code=20404)]
)
async def test_a_list_that_cannot_be_read_for_ten_hours_ends_the_doubt_without_a_second_text(post, fault):
    text_id = await in_doubt(post)
    post.twilio.faults.of_requests.append(lambda request: fault)
    with structlog.testing.capture_logs() as logs:
        await post.work(600)
        assert post.status(text_id) == "unknown"
        await post.work(GIVE_UP_AFTER.total_seconds())
    assert post.status(text_id) == "failed"
    assert [entry["text"] for entry in logs if entry["event"] == "doubt_given_up"] == [text_id]
    post.db.run_blocking(look, post.clock.now())
    assert [alert.key for alert in post.db.run_blocking(going_on)] == ["doubt given up"]
    assert post.twilio.messages == []
    post.report("delivered", text_id=text_id, sid=a_sid())
    assert post.status(text_id) == "delivered"


async def test_a_text_that_began_while_twilio_was_away_is_certain_only_after_twilio_was_back_for_a_while(post):
    text_id = await in_doubt(post)
    post.twilio.faults.of_requests.append(lambda request: BROKEN)
    await post.work(CERTAIN - 1)
    post.twilio.faults.clear()
    await post.work(10)
    assert post.status(text_id) == "unknown"
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.screen() == ["OK"]


async def test_a_text_is_found_however_many_went_to_the_same_phone_since(make_post):
    post = make_post(page=2)
    text_id = await in_doubt(post, "the first", fault=BROKEN_AFTER_ACCEPTING)
    for n in range(5):
        post.say(f"and {n}")
    await post.work()
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.status(text_id) in {"sent", "delivered"}
    assert post.screen().count("the first") == 1


async def test_a_list_too_long_to_read_to_its_end_is_no_reason_to_send_again(make_post):
    post = make_post(page=1, most_pages=2)
    text_id = await in_doubt(post, "the first", fault=BROKEN_AFTER_ACCEPTING)
    for n in range(3):
        post.say(f"and {n}")
    await post.work()
    await post.work(10 * CERTAIN)
    assert post.status(text_id) == "unknown"
    (job,) = post.rows(work)
    assert job.due - post.clock.now() > timedelta(seconds=60)  # a list so long is not read every few seconds for hours
    await post.work(GIVE_UP_AFTER.total_seconds())
    await post.twilio.settle()
    assert post.status(text_id) == "failed"
    assert post.screen().count("the first") == 1


async def test_a_text_to_a_number_that_twilio_writes_otherwise_is_recognised(post):
    text_id = await in_doubt(
        post, fault=BROKEN_AFTER_ACCEPTING, to="+1 (212) 555-0101", purpose=Purpose.CONVERSATIONAL_REPLY
    )
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.screen() == ["OK"]
    assert post.row(text_id).sid == post.twilio.messages[0].sid


async def test_a_text_through_a_messaging_service_is_recognised_whatever_number_was_chosen(post):
    service = post.twilio.add_messaging_service([GYM_NUMBER])
    given = {"our_address": service.sid, "messaging_service_sid": service.sid}
    text_id = await in_doubt(post, fault=BROKEN_AFTER_ACCEPTING, **given)
    await post.work(CERTAIN)
    await post.twilio.settle()
    assert post.screen() == ["OK"]
    assert post.row(text_id).sid == post.twilio.messages[0].sid


async def test_a_text_is_not_sent_by_a_process_that_stood_still_after_claiming_it(post):
    text_id = post.say()
    stalls = [11]

    @post.line.rule
    def slow(facts, now):
        post.clock.advance(seconds=stalls.pop() if stalls else 0)
        return MayLeave()

    await post.work()
    assert (post.status(text_id), len(post.twilio.messages)) == ("sent", 1)
    assert post.row(text_id).attempts == 2


async def test_a_worker_that_lost_its_lease_does_not_put_back_what_another_one_sends(post):
    text_id = post.say()
    post.db.run_blocking(lambda conn: conn.execute(update(texts).values(status="sending", attempts=2)))
    job = Claimed(kind="send", key=text_id, token=1, attempts=1, since=post.clock.now())
    late = Sent(job=job, text=post.row(text_id), status=Status.QUEUED, now=post.clock.now(), try_at=post.clock.now())
    post.db.run_blocking(record, [late])
    assert post.status(text_id) == "sending"


async def test_a_report_and_a_look_that_meet_leave_each_message_with_one_text(post):
    both = [await in_doubt(post, fault=BROKEN_AFTER_ACCEPTING) for _ in range(2)]
    await post.twilio.settle()
    sids = [message.sid for message in post.twilio.messages]
    untold = list(zip(both, reversed(sids), strict=True))

    def report_meanwhile(request):
        """While the list is read, and before anything is decided by it."""
        if request.method == "GET" and untold:
            text_id, sid = untold.pop()
            post.report("sent", text_id=text_id, sid=sid)

    post.twilio.faults.of_requests.append(report_meanwhile)
    await post.work(10)
    assert untold == []
    assert [post.row(each).sid for each in both] == sids[::-1]
    assert post.screen(ANA) == ["OK", "OK"]


async def test_a_callback_that_is_being_written_while_the_text_is_taken_up_is_not_overwritten(post):
    """As after a crash: the callback and the worker that takes the text up come at the same moment."""
    text_id = post.say()
    await post.work()
    sid = post.row(text_id).sid
    post.db.run_blocking(as_a_crash_leaves_it, text_id, post.clock.now())
    each = DeliveryReport(
        sid=sid, text_id=text_id, status="delivered", error_code=None, fields={}, received_at=post.clock.now()
    )
    writing = threading.Event()
    telling = asyncio.create_task(post.db.run(report_slowly, each, writing))
    await asyncio.to_thread(writing.wait, 10)
    await post.work()
    await telling
    await post.work(60)
    assert post.status(text_id) == "delivered"
    assert len(post.twilio.messages) == 1


def as_a_crash_leaves_it(conn, text_id, now):
    conn.execute(update(texts).values(status="sending", sid=None, sending_at=now))
    arm(conn, kind=KIND, key=text_id, due=now, now=now)


def report_slowly(conn, each, writing):
    report(conn, [each])
    writing.set()
    time.sleep(0.5)


async def test_a_fresh_doubt_is_looked_into_soon_though_its_work_was_tried_often_and_the_list_fails(post):
    text_id = post.say()
    post.twilio.faults.next_creates(DROPPED)
    await post.work()
    post.db.run_blocking(lambda conn: conn.execute(update(work).values(attempts=13)))
    post.twilio.faults.outage()
    await post.work(seconds=5)
    post.twilio.faults.clear()
    (row,) = post.rows(work)
    assert row.due - post.clock.now() < timedelta(seconds=10)
    await post.work(seconds=10)
    await post.work(seconds=31)
    assert post.status(text_id) in {"sent", "delivered"}


@pytest.mark.parametrize(("age", "wait"), [(0, 5), (10, 5), (60, 30), (1_000, 250), (3_600, 300), (36_000, 300)])
def test_the_longer_a_doubt_lasts_the_less_often_twilio_is_asked(age, wait):
    for _ in range(20):
        assert wait <= patience(timedelta(seconds=age)).total_seconds() <= wait * 1.25
