"""What nobody told us is found in Twilio's list: texts that came in, and how our own ended."""

from datetime import timedelta

import pytest
import structlog
from sqlalchemy import update

from replyline.conversations.media_store import FolderStore, read_all
from replyline.db.tables import (
    backfill_marks,
    consent_events,
    conversations,
    delivery_reports,
    media,
    opt_outs,
    tallies,
    texts,
    work,
)
from replyline.inbound import backfill
from replyline.inbound.backfill import ADDRESSES_LAST, AFTER_START, EVERY, OLD_ENOUGH, YOUNG, Backfill
from replyline.inbound.media import KIND as MEDIA
from replyline.inbound.media import FetchMedia
from replyline.inbound.receive import FOUND_LATE, Received, receive
from replyline.plugins.senders import Sender
from replyline.simulator import BROKEN, Fate, WebhookFault
from replyline.simulator import Status as MessageStatus
from replyline.twilio import client
from replyline.twilio.media import MediaFetcher
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, BRUNO, GYM_NUMBER, an_arrival
from tests.support.road import FixedModel, Road, says

PICTURE = ("image/png", b"\x89PNG\r\n\x1a\n....")


class Office:
    """A line that answers at one number, and was away."""

    def __init__(self, post, number=GYM_NUMBER, service=None):
        self.post, self.db, self.clock, self.twilio, self.line = post, post.db, post.clock, post.twilio, post.line
        self.requests = []
        self.twilio.faults.of_requests.append(lambda request: self.requests.append(request.path))
        self.backfill = Backfill(
            db=post.db, clock=post.clock, line=post.line, twilio=post.client, number=number, service=service
        )

    async def open(self):
        """Look for the first time: what came before is not ours."""
        self.db.run_blocking(backfill.begin, "gym", self.clock.now())
        await self.look(AFTER_START)
        return self

    async def look(self, after=EVERY):
        """Let time pass, and what is due then be done; gives what was logged."""
        self.clock.advance(seconds=after.total_seconds())
        with structlog.testing.capture_logs() as logs:
            await Worker(self.db, self.clock, [Pool(kinds={backfill.KIND: self.backfill}, at_once=1)]).work_until_idle()
        return logs

    async def lost(self, body, *, phone=ANA, to=GYM_NUMBER, **given):
        """A text whose webhook never reaches us; gives Twilio's id."""
        self.twilio.faults.next_webhooks(WebhookFault.LOST)
        return await self.twilio.text_from_phone(from_=phone, to=to, body=body, **given)

    def webhook(self, body, **given):
        """A text whose webhook reaches us."""
        arrival = an_arrival(body, line=self.line, at=self.clock.now(), **given)
        return self.db.run_blocking(receive, [arrival])[0]

    def inbound(self):
        found = [row for row in self.post.rows(texts) if row.is_inbound]
        return sorted(found, key=lambda row: (row.created_at, row.id))

    def armed(self, kind):
        return [row for row in self.post.rows(work) if row.kind == kind]


@pytest.fixture
async def office(post):
    # A webhook needs an address to be lost on the way to.
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    return await Office(post).open()


async def test_a_text_from_a_few_minutes_without_us_is_answered_and_stored_once(office):
    written_at = office.clock.now()
    sid = await office.lost("Are you open?")
    logs = await office.look(timedelta(minutes=4))
    (text,) = office.inbound()
    assert (text.sid, text.body, text.phone, text.our_address) == (sid, "Are you open?", ANA, GYM_NUMBER)
    assert (text.created_at, text.found_at) == (written_at, office.clock.now())
    assert text.handled_at is None
    assert [row.key for row in office.armed("turn")] == [text.conversation_id]
    assert [entry["count"] for entry in logs if entry["event"] == "texts_backfilled"] == [1]
    assert "texts_backfilled" not in {entry["event"] for entry in await office.look()}
    assert len(office.inbound()) == 1


async def test_a_text_found_after_hours_is_kept_and_not_answered(office):
    await office.lost("Are you open?")
    logs = await office.look(timedelta(hours=3))
    (text,) = office.inbound()
    assert (text.handled_at, text.why) == (office.clock.now(), FOUND_LATE)
    assert office.armed("turn") == []
    assert [entry["count"] for entry in logs if entry["event"] == "texts_found_late"] == [1]


async def test_the_line_says_what_is_late(office):
    office.line.late_after = 4 * 3600.0
    await office.lost("Are you open?")
    await office.look(timedelta(hours=3))
    assert len(office.armed("turn")) == 1


async def test_a_webhook_that_comes_after_all_changes_nothing(office):
    sid = await office.lost("Are you open?")
    await office.look(timedelta(hours=3))
    before = office.inbound()
    assert office.webhook("Are you open?", sid=sid) is Received.AGAIN
    assert office.inbound() == before
    assert office.armed("turn") == []


async def test_what_a_webhook_brought_is_not_found_again(office):
    sid = await office.lost("Are you open?")
    assert office.webhook("Are you open?", sid=sid) is Received.NEW
    before = office.inbound()
    await office.look(timedelta(hours=3))
    assert office.inbound() == before


async def test_a_text_whose_webhook_may_be_on_its_way_is_left_to_it(office):
    office.clock.advance(seconds=(EVERY - YOUNG).total_seconds() + 1)
    await office.lost("Are you open?")
    await office.look(YOUNG - timedelta(seconds=1))
    assert office.inbound() == []
    await office.look(backfill.SOON)  # not only after the two minutes that usually lie between two looks
    assert len(office.inbound()) == 1


async def test_what_came_before_the_line_answered_there_is_left_alone(post):
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    office = Office(post)
    await office.lost("To whoever had this number")
    post.clock.advance(minutes=5)
    await office.open()
    await office.look(timedelta(minutes=10))
    assert office.inbound() == []


async def test_a_text_that_is_lost_before_the_first_look_is_found(post):
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    office = Office(post)
    post.clock.advance(seconds=0.6)
    office.db.run_blocking(backfill.begin, "gym", post.clock.now())
    post.clock.advance(seconds=0.1)  # Twilio says: at the whole second, which was before we began
    sid = await office.lost("Are you open?")
    post.clock.advance(minutes=4)
    await office.open()  # after a crash: another begin
    assert [text.sid for text in office.inbound()] == [sid]


async def test_a_line_that_answered_before_it_could_look_begins_where_it_left_off(post):
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    office = Office(post, number=None)
    office.webhook("Hello")
    post.clock.advance(minutes=5)
    await office.lost("Are you open?")
    post.clock.advance(hours=2)
    await office.open()
    assert [row.body for row in office.inbound()] == ["Hello", "Are you open?"]


async def test_however_much_came_it_is_all_found_in_the_order_it_was_written(make_post):
    post = make_post(page=2)
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    office = await Office(post).open()
    for n in range(5):
        office.clock.advance(seconds=1)
        await office.lost(f"text {n}")
    await office.look()
    assert [row.body for row in office.inbound()] == [f"text {n}" for n in range(5)]
    assert len(office.armed("turn")) == 1


async def test_a_page_that_cannot_be_read_is_asked_for_again_and_the_pages_before_it_are_not(make_post, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", (0.0, 0.0, 0.0))
    post = make_post(page=2)
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    office = await Office(post).open()
    for n in range(5):
        office.clock.advance(seconds=1)
        await office.lost(f"text {n}")
    asked = []

    def every_second_page(request):
        if request.method == "GET" and request.path.endswith("/Messages.json"):
            asked.append(BROKEN if len(asked) % 2 else None)
            return asked[-1]
        return None

    office.twilio.faults.of_requests.append(every_second_page)
    await office.look()
    assert [row.body for row in office.inbound()] == [f"text {n}" for n in range(5)]
    assert asked.count(None) == 3  # pages of two
    assert asked.count(BROKEN) >= 2


async def test_a_turn_reads_what_was_found_where_it_belongs(office, tmp_path):
    await office.lost("I broke my arm on Friday.")
    office.clock.advance(hours=2)
    office.webhook("Can I freeze my membership?")
    await office.look()
    model = FixedModel([says("Yes.")])
    road = Road(db=office.db, clock=office.clock, line=office.line, model=model, media_dir=tmp_path)
    await road.work()
    said = [part.text for part in model.seen[0].turns if hasattr(part, "by")]
    assert said == ["I broke my arm on Friday."]


async def test_pictures_of_a_found_text_are_fetched(office, tmp_path):
    await office.lost("Look", media=[PICTURE])
    await office.look()
    (attached,) = office.post.rows(media)
    assert attached.content_type == "image/png"
    fetcher = MediaFetcher(
        username=office.twilio.account_sid, password=office.twilio.auth_token, api_url=office.twilio.url
    )
    store = FolderStore(tmp_path)
    fetch = FetchMedia(office.db, office.clock, fetcher, store, delete_at_twilio=False)
    await Worker(office.db, office.clock, [Pool(kinds={MEDIA: fetch}, at_once=1)]).work_until_idle()
    await fetcher.close()
    (attached,) = office.post.rows(media)
    assert (attached.state, await read_all(store, attached.path)) == ("kept", PICTURE[1])


async def test_a_stop_is_heeded_however_late_it_is_found(office):
    office.webhook("Hi")
    reminder = office.post.say("See you on Thursday.")
    office.clock.advance(minutes=1)
    written_at = office.clock.now()
    await office.lost("STOP")
    await office.look(timedelta(days=3))
    (opted_out,) = office.post.rows(opt_outs)
    assert (opted_out.phone, opted_out.since) == (ANA, written_at)
    assert office.post.status(reminder) == "canceled"
    assert [row.body for row in office.post.rows(texts) if not row.is_inbound] == ["See you on Thursday."]


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_stop_that_was_followed_by_start_is_over_when_it_is_found(office, is_known):
    if is_known:
        office.webhook("STOP")
    office.clock.advance(seconds=1)
    await office.lost("STOP")
    office.clock.advance(seconds=1)
    office.webhook("START")
    await office.look()
    assert office.post.rows(opt_outs) == []
    assert office.inbound()[-2].why == "heard as stop, and they wrote START after it"
    assert "opt_out" in {row.kind for row in office.post.rows(consent_events)}


async def test_a_start_that_is_older_than_their_stop_does_not_undo_it(office):
    office.webhook("STOP")
    office.clock.advance(seconds=1)
    office.webhook("START")
    office.clock.advance(seconds=1)
    await office.lost("START")
    office.clock.advance(seconds=1)
    office.webhook("STOP")
    await office.look()
    assert len(office.post.rows(opt_outs)) == 1


async def test_a_start_that_is_newer_than_their_stop_is_heard_when_it_is_found(office):
    office.webhook("STOP")
    office.clock.advance(seconds=1)
    await office.lost("START")
    await office.look(timedelta(days=1))
    assert office.post.rows(opt_outs) == []


@pytest.mark.parametrize(("after", "is_answered"), [(timedelta(minutes=3), True), (timedelta(minutes=9), False)])
async def test_help_that_is_found_soon_is_answered_where_twilio_does_not(post, after, is_answered):
    post.twilio.add_number("12345", sms_url="http://127.0.0.1:9/sms")
    office = await Office(post, number="12345").open()
    await office.lost("HELP", to="12345")
    await office.look(after)
    assert bool([row for row in post.rows(texts) if not row.is_inbound]) is is_answered


async def test_a_number_that_people_begin_to_write_to_is_read_from_the_first_text_on(office):
    other = "+14155550111"
    office.post.twilio.add_number(other, sms_url="http://127.0.0.1:9/sms")
    await office.lost("To whoever had this number", to=other)
    office.clock.advance(minutes=5)
    office.webhook("Hello", our_address=other)
    office.clock.advance(minutes=5)
    await office.lost("Are you open?", to=other)
    office.clock.advance(minutes=5)
    office.webhook("And on Sunday?", our_address=other)
    await office.look(ADDRESSES_LAST)
    assert [row.body for row in office.inbound()] == ["Hello", "Are you open?", "And on Sunday?"]


async def test_the_numbers_of_the_messaging_service_are_looked_at_too(post):
    numbers = [GYM_NUMBER, "+14155550111"]
    for number in numbers:
        post.twilio.add_number(number, sms_url="http://127.0.0.1:9/sms")
    service = post.twilio.add_messaging_service(numbers, use_inbound_webhook_on_number=True)
    office = await Office(post, number=None, service=service.sid).open()
    await office.lost("Are you open?", phone=BRUNO, to="+14155550111")
    await office.look()
    (text,) = office.inbound()
    assert (text.our_address, text.messaging_service_sid) == ("+14155550111", service.sid)


async def test_after_many_crashes_and_refusals_the_next_look_is_no_further_off_than_usual(office):
    office.twilio.faults.of_requests.append(lambda request: BROKEN)
    office.db.run_blocking(lambda conn: conn.execute(update(work).values(attempts=30)))
    await office.look()
    (job,) = office.armed(backfill.KIND)
    assert job.due <= office.clock.now() + EVERY


async def test_twilio_being_away_puts_the_look_off_and_loses_nothing(office):
    await office.lost("Are you open?")
    fault = office.twilio.faults.of_requests
    fault.append(lambda request: BROKEN)
    logs = await office.look(timedelta(minutes=3))
    assert {entry["event"] for entry in logs} == {"backfill_put_off"}
    fault.pop()
    await office.look(timedelta(minutes=1))
    assert len(office.inbound()) == 1


async def test_a_pool_that_cannot_be_read_keeps_no_other_number_from_being_looked_at(post):
    post.twilio.add_number(GYM_NUMBER, sms_url="http://127.0.0.1:9/sms")
    office = await Office(post, service="MG" + "0" * 32).open()
    await office.lost("Are you open?")
    await office.look()
    assert len(office.inbound()) == 1


async def test_a_pool_that_could_not_be_read_is_asked_for_again_at_the_next_look(post):
    other = "+14155550111"
    for number in (GYM_NUMBER, other):
        post.twilio.add_number(number, sms_url="http://127.0.0.1:9/sms")
    service = post.twilio.add_messaging_service([GYM_NUMBER, other], use_inbound_webhook_on_number=True)
    office = Office(post, service=service.sid)
    faults = office.twilio.faults.of_requests
    faults.append(lambda request: BROKEN if "/Services/" in request.path else None)
    await office.open()
    faults.pop()
    await office.look()
    await office.lost("Are you open?", phone=BRUNO, to=other)
    await office.look()
    assert [row.our_address for row in office.inbound()] == [other]


@pytest.mark.parametrize("through", ["number", "service"])
async def test_the_senders_that_the_line_names_are_looked_at_too(make_post, through):
    other = "+14155550111"
    post = make_post()
    for number in (GYM_NUMBER, other):
        post.twilio.add_number(number, sms_url="http://127.0.0.1:9/sms")
    service = post.twilio.add_messaging_service([other], use_inbound_webhook_on_number=True)
    office = Office(make_post(senders=[Sender(other if through == "number" else service.sid)]))
    await office.open()
    await office.lost("Are you open?", phone=BRUNO, to=other)
    await office.look()
    assert [row.our_address for row in office.inbound()] == [other]


async def test_a_text_with_nul_in_it_keeps_nothing_from_being_found(office):
    await office.lost("Are you\x00 open?")
    await office.lost("And on Sunday?", phone=BRUNO)
    await office.look()
    assert {row.body for row in office.inbound()} == {"Are you open?", "And on Sunday?"}
    (job,) = office.armed(backfill.KIND)
    assert job.attempts == 0


async def test_a_look_that_finds_nothing_is_one_request(office):
    office.requests.clear()
    await office.look()
    assert len(office.requests) == 1


async def test_of_many_processes_one_looks_at_a_time(office):
    for _ in range(3):
        office.db.run_blocking(backfill.begin, "gym", office.clock.now())
    assert len(office.armed("backfill")) == 1
    office.requests.clear()
    await office.look(AFTER_START)
    assert len(office.requests) == 1


async def test_a_text_delivered_while_we_were_down_becomes_delivered(office):
    text_id = office.post.say()
    await office.post.work()
    await office.twilio.settle()
    assert office.post.status(text_id) == "sent"
    await office.look(OLD_ENOUGH)
    assert office.post.status(text_id) == "delivered"
    assert [(row.text_id, row.status, row.source) for row in office.post.rows(delivery_reports)] == [
        (text_id, "delivered", "list")
    ]
    assert [(row.name, row._mapping["count"]) for row in office.post.rows(tallies)] == [("ends_found", 1)]


async def test_a_carrier_that_never_says_is_asked_once_and_again_after_we_were_away(office):
    office.twilio.faults.next_messages(Fate(status=MessageStatus.SENT))
    office.post.say()
    await office.post.work()
    await office.twilio.settle()

    async def asked(after):
        office.requests.clear()
        await office.look(after)
        return sum("/Messages/" in path for path in office.requests)

    for _ in range(6):
        assert await asked(timedelta(minutes=1)) == 0
    assert await asked(OLD_ENOUGH) == 1
    assert await asked(timedelta(minutes=3)) == 0
    assert await asked(timedelta(minutes=30)) == 1
    assert await asked(timedelta(minutes=3)) == 0
    assert await asked(timedelta(days=2)) == 0


async def test_many_texts_without_an_end_are_settled_in_small_parts(office):
    ids = [office.post.say(f"text {n}", to=ANA if n % 2 else BRUNO) for n in range(23)]
    for _ in range(9):  # as many at once as its sender's rate allows
        await office.post.work(10)
    await office.twilio.settle()
    await office.look(OLD_ENOUGH)
    assert sorted(office.post.status(each) for each in ids) == ["delivered"] * 20 + ["sent"] * 3
    await office.look(backfill.SOON)
    assert {office.post.status(each) for each in ids} == {"delivered"}


async def test_an_earlier_text_that_is_found_does_not_turn_back_when_they_last_wrote(office):
    await office.lost("first")
    office.clock.advance(minutes=1)
    office.webhook("second")
    last = office.clock.now()
    await office.look()
    (conversation,) = office.post.rows(conversations)
    assert conversation.last_inbound_at == last


async def test_how_far_the_list_was_read_is_remembered(office):
    now = office.clock.now()
    marks = {row.our_address: row.seen_until for row in office.post.rows(backfill_marks)}
    assert marks == {"": now, GYM_NUMBER: now}
