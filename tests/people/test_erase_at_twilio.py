"""What Twilio and the media store have of a person who is forgotten goes too, by work that survives crashes."""

import pytest
import structlog

from replyline.conversations.media_store import FolderStore, NotKept, in_chunks, read_all
from replyline.conversations.pictures import OwnPicture
from replyline.conversations.text import Picture
from replyline.db.tables import audit_events, delivery_reports, media, twilio_deletions, work
from replyline.inbound import media as fetching
from replyline.inbound import messages_at_twilio
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.inbound.media import FetchMedia
from replyline.inbound.messages_at_twilio import DeleteErased, left_of
from replyline.inbound.receive import receive
from replyline.people import files
from replyline.people.erase import CannotErase, erase
from replyline.people.files import DeleteFiles
from replyline.rules.consent import Whose
from replyline.rules.person import person_of
from replyline.simulator import BROKEN, DROPPED_AFTER_ACCEPTING, THROTTLED, DeliveryTimes, Fault
from replyline.twilio.client import TwilioClient
from replyline.twilio.media import MediaFetcher
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, CLEO, GYM_NUMBER, an_arrival
from tests.support.post import SECRET

ANAS = Whose(line="gym", phone=ANA)
PNG = ("image/png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 64)


class Clearing:
    """People who wrote and were answered, a folder of their pictures, and a worker that is made anew for each round."""

    def __init__(self, post, folder):
        self.post, self.db, self.clock, self.twilio = post, post.db, post.clock, post.twilio
        self.store = FolderStore(folder)
        self.requests = []
        self.twilio.faults.of_requests.append(lambda request: self.requests.append((request.method, request.path)))

    async def text(self, body, *, phone=ANA, attached=()):
        """Somebody writes; gives the MessageSid."""
        sid = await self.twilio.phone(phone, texts_with=GYM_NUMBER).text(body, media=attached)
        at = f"{self.twilio.url}/2010-04-01/Accounts/{self.twilio.account_sid}/Messages/{sid}/Media"
        pictures = tuple(
            Picture(url=f"{at}/{each.sid}", content_type=each.content_type) for each in self.twilio.message(sid).media
        )
        arrival = an_arrival(body, phone=phone, sid=sid, at=self.clock.now(), pictures=pictures)
        self.db.run_blocking(receive, [arrival])
        return sid

    def erase(self, **given):
        return self.db.run_blocking(
            erase, ANAS, secret=SECRET, by="sam", now=self.clock.now(), **{"at_twilio": True} | given
        )

    async def work(self, seconds=0.0):
        self.clock.advance(seconds=seconds)
        kinds = {
            messages_at_twilio.KIND: DeleteErased(self.db, self.clock, self.post.client),
            files.KIND: DeleteFiles(self.db, self.clock, self.store),
        }
        await Worker(self.db, self.clock, [Pool(kinds=kinds, at_once=2)]).work_until_idle()

    async def fetch(self):
        fetcher = MediaFetcher(
            username=self.twilio.account_sid, password=self.twilio.auth_token, api_url=self.twilio.url
        )
        fetch = FetchMedia(self.db, self.clock, fetcher, self.store)
        await Worker(self.db, self.clock, [Pool(kinds={fetching.KIND: fetch}, at_once=1)]).work_until_idle()
        await fetcher.close()

    def at_twilio(self):
        return {message.sid for message in self.twilio.messages}

    def left(self):
        return self.db.run_blocking(left_of, "gym", person_of(ANA, SECRET))

    def audited(self):
        found = sorted(self.post.rows(audit_events), key=lambda row: row.id)
        return [(row.kind, row.actor, row.person, row.details) for row in found if row.kind == "erase_at_twilio"]

    def to_do(self, *kinds):
        return [row.key for row in self.post.rows(work) if row.kind in (kinds or (messages_at_twilio.KIND, files.KIND))]

    async def is_kept(self, key):
        try:
            return bool(await read_all(self.store, key))
        except NotKept:
            return False


@pytest.fixture
def clearing(post, tmp_path):
    return Clearing(post, tmp_path / "media")


async def talk(clearing):
    """Ana writes twice, once with a picture, and is answered; Cleo writes too. Gives Cleo's MessageSid."""
    await clearing.text("Hi")
    await clearing.text("Look!", attached=[PNG])
    clearing.post.say()
    await clearing.post.work()
    await clearing.twilio.settle()
    return await clearing.text("Me too", phone=CLEO)


async def test_twilios_messages_of_a_person_go_and_nobody_elses(clearing):
    cleos = await talk(clearing)
    assert len(clearing.at_twilio()) == 4
    assert len(clearing.erase().sids) == 3
    assert clearing.left() == 3
    await clearing.work()
    assert clearing.at_twilio() == {cleos}
    assert (clearing.left(), clearing.to_do(messages_at_twilio.KIND), clearing.post.rows(twilio_deletions)) == (
        0,
        [],
        [],
    )
    assert clearing.audited() == [("erase_at_twilio", "sam", person_of(ANA, SECRET), {"messages": 3})]


async def test_without_being_asked_nothing_is_deleted_at_twilio(clearing):
    await talk(clearing)
    before = clearing.at_twilio()
    clearing.erase(at_twilio=False)
    await clearing.work()
    assert clearing.at_twilio() == before
    assert clearing.audited() == []


async def test_media_go_before_the_message_without_which_nobody_finds_them(clearing):
    sid = await clearing.text("Look!", attached=[PNG, PNG])
    clearing.erase()
    await clearing.work()
    deleted = [path.partition(sid)[2] for method, path in clearing.requests if method == "DELETE"]
    assert [path[:7] for path in deleted] == ["/Media/", "/Media/", ".json"]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, Fault.refused(20003)])
async def test_a_twilio_in_trouble_is_asked_until_it_has_done_it(clearing, fault):
    cleos = await talk(clearing)
    clearing.erase()
    clearing.twilio.faults.on_requests(fault, method="DELETE")
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            await clearing.work(seconds=60)
    assert {entry["event"] for entry in logs} == {"messages_still_at_twilio"}
    assert ANA not in str(logs)
    assert (clearing.left(), clearing.audited()) == (3, [])
    clearing.twilio.faults.clear()
    await clearing.work(seconds=60)
    assert (clearing.at_twilio(), clearing.left()) == ({cleos}, 0)


async def test_a_twilio_in_trouble_is_not_asked_for_each_of_many_messages(clearing):
    for n in range(20):
        await clearing.text(f"Text {n}")
    clearing.erase()
    clearing.twilio.faults.on_requests(THROTTLED, method="DELETE")
    await clearing.work()
    assert len([1 for method, _ in clearing.requests if method == "DELETE"]) == messages_at_twilio.AT_ONCE


async def test_a_message_that_twilio_is_still_at_work_on_waits_and_the_others_do_not(clearing):
    await clearing.text("Hi")
    clearing.twilio._exchange.times = DeliveryTimes(until_sent=60, until_delivered=0)
    clearing.post.say()
    await clearing.post.work()
    assert len(clearing.erase().sids) == 2
    await clearing.work()
    assert [message.status for message in clearing.twilio.messages] == ["queued"]
    assert clearing.left() == 1
    clearing.clock.advance(seconds=60)
    await clearing.twilio.settle()
    await clearing.work(seconds=10)
    assert (clearing.at_twilio(), clearing.left()) == (set(), 0)


async def test_what_is_gone_at_twilio_already_counts_as_deleted(clearing):
    cleos = await talk(clearing)
    clearing.erase()
    for message in clearing.twilio.messages:
        if message.sid != cleos:
            del clearing.twilio._account.messages[message.sid]
    await clearing.work()
    assert clearing.audited()[0][-1] == {"messages": 3}


async def test_a_process_that_dies_in_the_middle_leaves_the_rest_to_the_next(clearing, monkeypatch):
    for n in range(12):
        await clearing.text(f"Text {n}")
    clearing.erase()
    delete, done = TwilioClient.delete, []

    async def dies(self, sid, *, with_media):
        if len(done) == 7:
            raise RuntimeError("The process ends here.")
        done.append(sid)
        return await delete(self, sid, with_media=with_media)

    monkeypatch.setattr(TwilioClient, "delete", dies)
    await clearing.work()
    assert 0 < clearing.left() < 12
    monkeypatch.undo()
    await clearing.work(seconds=10)
    assert (clearing.at_twilio(), clearing.left()) == (set(), 0)
    assert clearing.audited()[0][-1] == {"messages": 12}


async def test_more_messages_than_one_round_takes_are_all_deleted(clearing, monkeypatch):
    monkeypatch.setattr(messages_at_twilio, "AT_MOST", 3)
    for n in range(10):
        await clearing.text(f"Text {n}")
    clearing.erase()
    await clearing.work()
    assert (clearing.at_twilio(), clearing.audited()[0][-1]) == (set(), {"messages": 10})


async def test_who_may_have_a_text_of_ours_without_an_id_is_not_forgotten_yet(clearing):
    clearing.twilio.faults.next_creates(DROPPED_AFTER_ACCEPTING)
    clearing.post.say()
    await clearing.post.work()
    with pytest.raises(CannotErase, match="in doubt"):
        clearing.erase()
    await clearing.post.work(seconds=60)
    assert len(clearing.erase().sids) == 1


async def test_a_delivery_report_that_comes_afterwards_brings_nobody_back(clearing):
    text_id = clearing.post.say()
    await clearing.post.work()
    clearing.erase()
    sid = clearing.post.row(text_id).sid
    fields, now = {"To": ANA}, clearing.clock.now()
    late = DeliveryReport(sid=sid, text_id=text_id, status="delivered", error_code=None, fields=fields, received_at=now)
    assert clearing.db.run_blocking(report, [late]) == [True]
    assert [row.fields for row in clearing.post.rows(delivery_reports)] == [{}]


async def test_the_file_of_a_picture_goes(clearing):
    await clearing.text("Look!", attached=[PNG])
    await clearing.fetch()
    (kept,) = clearing.post.rows(media)
    assert await clearing.is_kept(kept.path)
    assert clearing.erase().files == [kept.path]
    assert clearing.to_do(files.KIND) == [kept.path]
    await clearing.work()
    assert not await clearing.is_kept(kept.path)
    assert clearing.to_do() == []


async def test_a_picture_that_was_just_being_fetched_goes_too(clearing):
    await clearing.text("Look!", attached=[PNG])
    (coming,) = clearing.post.rows(media)
    clearing.erase(at_twilio=False)
    await clearing.store.put(fetching.key_of(coming.id), in_chunks(PNG[1]))  # by a worker that had begun
    await clearing.work(seconds=3600)
    assert not await clearing.is_kept(fetching.key_of(coming.id))


async def test_a_picture_of_ours_stays_for_the_others_whom_it_was_sent_to(clearing):
    ours = OwnPicture(path="own/ab/abcdef", content_type="image/png", size=72)
    await clearing.store.put(ours.path, in_chunks(PNG[1]))
    for phone in (ANA, CLEO):
        clearing.post.say("Our new class", to=phone, pictures=[ours])
    clearing.erase()
    await clearing.work()
    assert await clearing.is_kept(ours.path)
    clearing.db.run_blocking(erase, Whose(line="gym", phone=CLEO), secret=SECRET, by="sam", now=clearing.clock.now())
    await clearing.work()
    assert not await clearing.is_kept(ours.path)


async def test_a_disk_in_trouble_is_tried_until_the_file_is_gone(clearing, monkeypatch):
    await clearing.text("Look!", attached=[PNG])
    await clearing.fetch()
    (kept,) = clearing.post.rows(media)
    clearing.erase()

    async def fails(self, key):
        raise PermissionError(key)

    monkeypatch.setattr(FolderStore, "delete", fails)
    with structlog.testing.capture_logs() as logs:
        await clearing.work()
    assert "file_still_there" in [entry["event"] for entry in logs]
    assert clearing.to_do(files.KIND) == [kept.path]
    monkeypatch.undo()
    await clearing.work(seconds=10)
    assert not await clearing.is_kept(kept.path)
