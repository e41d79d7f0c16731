"""A text leaves: judged, paced, sent once, and found out about when we do not know."""

from datetime import timedelta

import pytest
import structlog
from sqlalchemy import update

from replyline.db.tables import consent_events, contacts, opt_outs, texts, work
from replyline.inbound.receive import receive
from replyline.outbound.queue import KIND, UnsendableText
from replyline.outbound.reconcile import CERTAIN_AFTER, GIVE_UP_AFTER
from replyline.plugins.line import BadLine
from replyline.plugins.senders import Sender
from replyline.rules.facts import Purpose
from replyline.rules.verdict import Refuse, Wait
from replyline.simulator import (
    BROKEN,
    BROKEN_AFTER_ACCEPTING,
    DROPPED,
    DROPPED_AFTER_ACCEPTING,
    THROTTLED,
)
from tests.support.cast import ANA, CLEO, GYM_NUMBER, a_line, an_arrival


async def test_a_queued_text_reaches_the_phone_once(post):
    text_id = post.say()
    await post.work()
    await post.work(60)
    await post.twilio.settle()
    assert post.screen() == ["See you at six."]
    row = post.row(text_id)
    assert (row.status, row.sid[:2], row.attempts) == ("sent", "SM", 1)
    assert post.rows(work) == []


async def test_texts_that_leave_together_are_written_down_together(post):
    with structlog.testing.capture_logs() as logs:
        sent = [post.say(to=ANA), post.say(to=CLEO)]
        await post.work()
    assert [post.status(each) for each in sent] == ["sent", "sent"]
    assert "set_failed" not in {entry["event"] for entry in logs}


async def test_the_status_callback_carries_our_own_id(post):
    text_id = post.say()
    await post.work()
    (message,) = post.twilio.messages
    assert message.status_callback == f"http://127.0.0.1:9/status?text={text_id}"


async def test_nobody_is_texted_after_they_opted_out(post):
    text_id = post.say()
    post.db.run_blocking(receive, [an_arrival("STOP", line=post.line)])
    late = post.say("One more thing")
    await post.work()
    assert post.screen() == []
    assert (post.status(text_id), post.status(late)) == ("canceled", "refused")
    assert post.row(late).why == "they have opted out"


async def test_a_country_the_line_does_not_text_to_is_refused(post):
    text_id = post.say(to="+447911123456")
    await post.work()
    assert post.status(text_id) == "refused"
    assert post.twilio.messages == []


async def test_a_rule_of_the_line_can_refuse_and_hold_but_never_free(make_post):
    post = make_post()
    until = post.clock.now() + timedelta(hours=2)

    @post.line.rule
    def quiet(facts, now):
        if "secret" in facts.body:
            return Refuse(why="it says secret")
        return Wait(until=until, why="quiet hours") if now < until else None

    refused, held = post.say("the secret"), post.say("Good morning")
    await post.work()
    assert post.status(refused) == "refused"
    assert (post.status(held), post.row(held).why) == ("queued", "quiet hours")


async def test_a_held_text_is_judged_again_when_its_time_comes(make_post):
    post = make_post()
    until = post.clock.now() + timedelta(hours=2)

    @post.line.rule
    def quiet(facts, now):
        from replyline.rules.verdict import Send as MayLeave

        return Wait(until=until, why="quiet hours") if now < until else MayLeave()

    stays, leaves = post.say("for Ana"), post.say("for Cleo", to=CLEO)
    await post.work()
    post.db.run_blocking(receive, [an_arrival("STOP", line=post.line)])
    await post.work(seconds=2 * 3600)
    await post.twilio.settle()
    assert (post.status(stays), post.status(leaves)) == ("canceled", "sent")
    assert post.screen(CLEO) == ["for Cleo"]


async def test_an_advertisement_of_the_night_arrives_in_the_morning(post):
    post.clock.set("2026-03-02 22:00 America/New_York")
    held, answer = (
        post.say("Half price!", purpose=Purpose.MARKETING),
        post.say("Yes", purpose=Purpose.CONVERSATIONAL_REPLY),
    )
    await post.work()
    assert (post.status(held), post.status(answer)) == ("queued", "sent")
    assert post.row(held).why == "quiet hours (FED, NY) where they are: NY (America/New_York), by area code"
    post.clock.set("2026-03-03 07:59 America/New_York")
    await post.work()
    assert post.status(held) == "queued"
    await post.work(60)
    assert post.status(held) == "sent"


async def test_whose_hours_count_is_told_from_where_they_said_they_are(post):
    post.clock.set("2026-03-03 09:00 America/New_York")
    held = post.say("Half price!", purpose=Purpose.MARKETING)
    post.db.run_blocking(lambda conn: conn.execute(update(contacts).values(zone="Pacific/Honolulu", state="HI")))
    await post.work()
    assert post.status(held) == "queued"
    post.clock.set("2026-03-03 08:00 Pacific/Honolulu")
    await post.work()
    assert post.status(held) == "sent"


async def test_a_burst_of_advertisements_leaves_only_as_many_as_the_law_allows(post):
    """Four leave the queue at once to somebody in Florida, where three are allowed in 24 hours."""
    florida = "+13055550142"
    queued = [post.say(f"Offer {n}", to=florida, purpose=Purpose.MARKETING) for n in range(4)]
    await post.work()
    assert sorted(post.status(each) for each in queued) == ["queued", "sent", "sent", "sent"]
    await post.work(23 * 3600)
    assert sum(post.status(each) == "queued" for each in queued) == 1
    await post.work(3600)
    assert {post.status(each) for each in queued} == {"sent"}


async def test_a_line_with_caps_that_cannot_be_read_is_refused():
    with pytest.raises(BadLine, match="3 per 24h"):
        a_line(marketing_caps=["three a day"])


@pytest.mark.parametrize("cap", ["0 per 24h", "3 per 0h", "3 per 745h"])
def test_a_cap_that_could_not_be_kept_is_refused(cap):
    with pytest.raises(BadLine, match="has to allow one text at least, within 1 to 744 hours"):
        a_line(marketing_caps=[cap])


async def test_a_sender_is_held_to_its_rate(make_post):
    post = make_post(segments_per_second=1.0)
    for n in range(12):
        post.say(f"text {n}")
    await post.work()
    first = len(post.twilio.messages)
    assert first < 12
    await post.work(seconds=2)
    assert len(post.twilio.messages) == first + 2
    await post.work(seconds=30)
    assert len(post.twilio.messages) == 12


async def test_a_throttled_text_is_sent_again_later(post):
    post.twilio.faults.next_creates(THROTTLED)
    text_id = post.say()
    await post.work()
    assert post.status(text_id) == "queued"
    await post.work(5)
    await post.twilio.settle()
    assert post.screen() == ["See you at six."]


@pytest.mark.parametrize("fault", [BROKEN_AFTER_ACCEPTING, DROPPED_AFTER_ACCEPTING])
async def test_a_reply_in_doubt_is_never_sent_twice(post, fault):
    post.twilio.faults.next_creates(fault)
    text_id = post.say()
    await post.work()
    assert post.status(text_id) == "unknown"
    await post.work(10)
    await post.twilio.settle()
    assert post.status(text_id) in {"sent", "delivered"}
    assert post.screen() == ["See you at six."]
    assert len(post.twilio.messages) == 1


@pytest.mark.parametrize("fault", [BROKEN, DROPPED])
async def test_a_text_that_twilio_never_had_is_sent_once_that_is_certain(post, fault):
    post.twilio.faults.next_creates(fault)
    text_id = post.say()
    await post.work()
    await post.work(10)
    assert post.status(text_id) == "unknown"
    assert post.twilio.messages == []
    await post.work(CERTAIN_AFTER.total_seconds())
    await post.twilio.settle()
    assert post.screen() == ["See you at six."]


async def test_two_texts_with_the_same_words_are_not_taken_for_each_other(post):
    first = post.say("OK")
    await post.work()
    post.twilio.faults.next_creates(BROKEN)
    second = post.say("OK")
    await post.work(1)
    await post.work(CERTAIN_AFTER.total_seconds() + 10)
    await post.twilio.settle()
    assert post.screen() == ["OK", "OK"]
    assert post.row(first).sid != post.row(second).sid


async def test_a_text_whose_worker_died_while_sending_is_looked_up_first(post):
    text_id = post.say()
    await post.work()
    sid = post.row(text_id).sid
    # As a crash after Twilio's 201 and before our commit leaves it.
    post.db.run_blocking(
        lambda conn: conn.execute(update(texts).values(status="sending", sid=None, sending_at=post.clock.now()))
    )
    post.db.run_blocking(rearm, text_id, post.clock.now())
    await post.work(1)
    assert post.status(text_id) in {"sent", "delivered"}
    assert post.row(text_id).sid == sid
    assert len(post.twilio.messages) == 1


async def test_a_doubt_that_twilio_never_resolves_is_given_up_and_not_sent(post):
    post.twilio.faults.next_creates(BROKEN)
    text_id = post.say()
    await post.work()
    post.twilio.faults.next_creates(BROKEN, times=10_000)
    post.twilio.faults.of_requests.append(lambda request: BROKEN)
    for _ in range(3):
        await post.work(GIVE_UP_AFTER.total_seconds())
    assert post.status(text_id) == "failed"
    assert post.twilio.messages == []


async def test_21610_from_twilio_is_an_opt_out(post):
    await post.twilio.text_from_phone(from_=ANA, to=GYM_NUMBER, body="STOP")
    text_id = post.say()
    await post.work()
    assert (post.status(text_id), post.row(text_id).error_code) == ("failed", 21610)
    assert [(row.phone, row.source) for row in post.rows(opt_outs)] == [(ANA, "carrier")]
    assert [row.kind for row in post.rows(consent_events)] == ["opt_out"]


async def test_a_text_that_waited_too_long_expires_instead_of_surprising_somebody(post):
    text_id = post.say()
    expires = post.clock.now() + timedelta(minutes=5)
    post.db.run_blocking(lambda conn: conn.execute(update(texts).values(expires_at=expires)))
    await post.work(600)
    assert post.status(text_id) == "expired"
    assert post.twilio.messages == []


async def test_a_messaging_service_chooses_the_number(post):
    service = post.twilio.add_messaging_service([GYM_NUMBER])
    text_id = post.say(our_address=service.sid, messaging_service_sid=service.sid)
    await post.work()
    await post.twilio.settle()
    assert post.screen() == ["See you at six."]
    assert post.status(text_id) in {"sent", "delivered"}
    assert post.twilio.messages[0].sender == GYM_NUMBER


async def test_pictures_go_out_by_their_addresses(post):
    post.say("Look", media_urls=["https://gym.example/a.jpg", "https://gym.example/b.jpg"])
    await post.work()
    (message,) = post.twilio.messages
    assert len(message.media) == 2


@pytest.mark.parametrize(
    "given", [{"body": ""}, {"body": "x" * 1601}, {"media_urls": [f"https://gym.example/{n}" for n in range(11)]}]
)
async def test_what_twilio_could_not_carry_is_refused_at_the_door(post, given):
    with pytest.raises(UnsendableText):
        post.say(**{"body": "Hi"} | given)


def rearm(conn, text_id, now):
    from replyline.work import arm

    arm(conn, kind=KIND, key=text_id, due=now, now=now)


async def test_the_first_text_that_leaves_is_introduced_and_the_next_are_not(make_post):
    post = make_post(introduces=True)
    together = [post.say("One."), post.say("Two.")]
    await post.work()
    first, second = post.screen()
    assert first.startswith("One.\nGym: an AI assistant")
    assert "STOP to opt out" in first
    assert second == "Two."
    assert post.row(together[0]).body == first  # what the log and the model see is what the person saw
    assert post.row(together[0]).segments == 1
    post.say("Three.")
    await post.work()
    assert post.screen()[-1] == "Three."
    post.say("Four.")
    await post.work(seconds=86_400)
    assert post.screen()[-1] == "Four.\n(AI assistant of Gym)"


async def test_a_text_that_is_refused_introduces_nobody(make_post):
    post = make_post(introduces=True, countries=("FR",))
    refused = post.say("One.")
    await post.work()
    post.line.countries = ("US",)
    post.say("Two.")
    await post.work()
    assert post.row(refused).body == "One."
    assert "STOP to opt out" in post.screen()[-1]


async def test_a_text_that_is_sent_again_is_introduced_once(make_post):
    post = make_post(introduces=True)
    post.twilio.faults.next_creates(THROTTLED)
    post.say("One.")
    await post.work()
    await post.work(seconds=60)
    assert post.screen()[0].count("AI assistant") == 1


def test_a_notice_that_asks_people_to_reply_cancel_is_refused_with_what_to_ask_for(post):
    with pytest.raises(UnsendableText, match=r"CANCEL.*CHANGE"):
        post.say("Tomorrow at 6. Reply C to confirm or CANCEL.")
    assert post.rows(texts) == []


async def test_a_text_from_a_name_says_in_each_how_else_to_opt_out(make_post):
    post = make_post(senders=[Sender("GYM", countries=["GB"])], countries=["GB"], contact="a@b.test")
    british = "+447400111222"
    for _ in range(2):
        post.say("See you at six.", to=british, our_address="GYM")
        await post.work(seconds=1)
    assert [message.body for message in post.twilio.messages] == [
        "See you at six.\nNo replies here. To get no more texts: a@b.test"
    ] * 2


async def test_a_number_without_its_registration_sends_nothing_to_the_us(make_post):
    post = make_post(senders=[Sender(GYM_NUMBER)])
    text_id = post.say()
    await post.work()
    assert (post.status(text_id), post.twilio.messages) == ("refused", [])
