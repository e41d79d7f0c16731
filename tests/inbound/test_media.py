"""What people send is kept: by the real worker, from a simulated Twilio, on both engines."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select

from replyline.clock import FakeClock
from replyline.conversations.media_store import FolderStore, MediaStore, read_all
from replyline.conversations.pictures import open_picture
from replyline.conversations.text import Picture
from replyline.db import Db
from replyline.db.tables import media, work
from replyline.inbound import media as fetching
from replyline.inbound import media_at_twilio
from replyline.inbound.media import FetchMedia
from replyline.inbound.media_at_twilio import DeleteAtTwilio
from replyline.inbound.receive import receive
from replyline.simulator import BROKEN, INSTANT, Fault, RestRequest, SimulatedTwilio
from replyline.twilio.media import Limits, MediaFetcher
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, GYM_NUMBER, an_arrival

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 64


class PowerCut(Exception):
    """The process ends here."""


class EndsAfterKeeping(FolderStore):
    """A folder, in a process that ends right after something was put there."""

    async def put(self, key, chunks):
        await super().put(key, chunks)
        raise PowerCut


@dataclass
class Mailroom:
    """Where pictures arrive, with a worker that is made anew for each round, as after a crash."""

    db: Db
    clock: FakeClock
    twilio: SimulatedTwilio
    fetcher: MediaFetcher
    store: MediaStore

    async def text_with(self, *attached: tuple[str, bytes]) -> str:
        """Ana sends pictures; gives the MessageSid."""
        sid = await self.twilio.phone(ANA).text("Look!", media=attached)
        account = f"{self.twilio.url}/2010-04-01/Accounts/{self.twilio.account_sid}"
        found = self.twilio.message(sid).media
        pictures = [
            Picture(url=f"{account}/Messages/{sid}/Media/{each.sid}", content_type=each.content_type) for each in found
        ]
        await self.db.gather(receive, an_arrival("Look!", sid=sid, at=self.clock.now(), pictures=tuple(pictures)))
        return sid

    async def work(
        self, *, seconds: float = 0, deletes: bool = False, may_delete: bool = True, store: MediaStore | None = None
    ) -> None:
        self.clock.advance(seconds=seconds)
        fetch = FetchMedia(self.db, self.clock, self.fetcher, store or self.store, delete_at_twilio=deletes)
        kinds = {fetching.KIND: fetch}
        if may_delete:
            kinds[media_at_twilio.KIND] = DeleteAtTwilio(self.db, self.clock, self.fetcher)
        await Worker(self.db, self.clock, [Pool(kinds=kinds, at_once=20)]).work_until_idle()

    def rows(self, table=media):
        return self.db.run_blocking(lambda conn: conn.execute(select(table)).all())

    def states(self):
        return [row.state for row in sorted(self.rows(), key=lambda row: row.position)]

    def left_to_do(self):
        return [row.kind for row in self.rows(work) if row.kind.startswith("media")]

    async def content(self, row):
        return await read_all(self.store, row.path)


@pytest.fixture
async def mailroom(db, clock, tmp_path):
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT)
    twilio.add_number(GYM_NUMBER)
    async with twilio.serving() as url:
        fetcher = MediaFetcher(
            username=twilio.account_sid, password=twilio.auth_token, api_url=url, limits=Limits(largest=10_000)
        )
        yield Mailroom(db, clock, twilio, fetcher, FolderStore(tmp_path / "media"))
        await fetcher.close()


async def test_each_picture_is_kept_with_the_type_its_bytes_show(mailroom):
    await mailroom.text_with(("image/png", PNG), ("image/png", JPEG), ("image/png", b"<html>not a picture</html>"))
    await mailroom.work()
    rows = sorted(mailroom.rows(), key=lambda row: row.position)
    assert [(row.state, row.content_type) for row in rows] == [
        ("kept", "image/png"),
        ("kept", "image/jpeg"),
        ("kept", "application/octet-stream"),
    ]
    assert [await mailroom.content(row) for row in rows[:2]] == [PNG, JPEG]
    assert [row.size for row in rows[:2]] == [len(PNG), len(JPEG)]


async def test_a_kept_picture_is_found_by_its_id(mailroom):
    await mailroom.text_with(("image/png", PNG))
    await mailroom.work()
    found = await open_picture(mailroom.db, mailroom.store, mailroom.rows()[0].id)
    assert (found.content_type, found.size) == ("image/png", len(PNG))
    assert b"".join([chunk async for chunk in found.chunks]) == PNG
    assert await open_picture(mailroom.db, mailroom.store, "med_nothing") is None


async def test_a_picture_that_is_too_large_is_lost_and_the_others_are_kept(mailroom):
    await mailroom.text_with(("image/png", PNG + b"\0" * 20_000), ("image/jpeg", JPEG))
    await mailroom.work()
    assert mailroom.states() == ["lost", "kept"]
    assert mailroom.left_to_do() == []


async def test_a_twilio_in_trouble_is_asked_again_for_what_is_missing_only(mailroom):
    sid = await mailroom.text_with(("image/png", PNG), ("image/jpeg", JPEG))
    first, second = (f"/Media/{each.sid}" for each in mailroom.twilio.message(sid).media)
    mailroom.twilio.faults.on_requests(BROKEN, path=second)
    await mailroom.work()
    assert mailroom.states() == ["kept", "waiting"]
    mailroom.twilio.faults.clear()
    mailroom.twilio.faults.on_requests(BROKEN, path=first)
    await mailroom.work(seconds=2)
    assert mailroom.states() == ["kept", "kept"]


async def test_a_picture_that_came_while_the_credentials_were_changed_is_kept_later(mailroom):
    await mailroom.text_with(("image/png", PNG))
    mailroom.twilio.faults.on_requests(Fault.refused(20003), path="/Media/")
    await mailroom.work()
    assert mailroom.states() == ["waiting"]
    mailroom.twilio.faults.clear()
    await mailroom.work(seconds=2)
    assert mailroom.states() == ["kept"]


async def test_a_picture_that_never_comes_is_given_up(mailroom):
    await mailroom.text_with(("image/png", PNG))
    mailroom.twilio.faults.on_requests(BROKEN, path="/Media/")
    for _ in range(fetching.TRIES):
        await mailroom.work(seconds=400)
    assert mailroom.states() == ["lost"]
    assert mailroom.left_to_do() == []


async def test_a_crash_between_the_store_and_the_row_is_overwritten(mailroom, tmp_path):
    await mailroom.text_with(("image/png", PNG))
    await mailroom.work(store=EndsAfterKeeping(tmp_path / "media"))
    assert mailroom.states() == ["waiting"]
    await mailroom.work(seconds=2)
    assert mailroom.states() == ["kept"]
    assert len([path for path in (tmp_path / "media").rglob("*") if path.is_file()]) == 1


async def test_twilio_keeps_its_copy_unless_the_line_says_otherwise(mailroom):
    sid = await mailroom.text_with(("image/png", PNG))
    await mailroom.work()
    assert len(mailroom.twilio.message(sid).media) == 1
    assert mailroom.rows()[0].twilio_copy is None


async def test_twilios_copy_is_deleted_when_ours_is_safe(mailroom):
    sid = await mailroom.text_with(("image/png", PNG), ("image/jpeg", JPEG))
    kept_before = []

    def watch(request: RestRequest) -> None:
        if request.method == "DELETE":
            kept_before.append([(row.state, row.path is not None) for row in mailroom.rows()])

    mailroom.twilio.faults.of_requests.append(watch)
    await mailroom.work(deletes=True)
    assert mailroom.twilio.message(sid).media == ()
    assert [row.twilio_copy for row in mailroom.rows()] == ["gone", "gone"]
    assert kept_before == [[("kept", True)] * 2] * 2
    assert mailroom.left_to_do() == []


async def test_what_we_could_not_keep_is_not_deleted_at_twilio(mailroom):
    sid = await mailroom.text_with(("image/png", PNG + b"\0" * 20_000), ("image/jpeg", JPEG))
    await mailroom.work(deletes=True)
    assert [each.content_type for each in mailroom.twilio.message(sid).media] == ["image/png"]


async def test_a_process_that_dies_before_the_deletion_leaves_it_to_the_next(mailroom):
    sid = await mailroom.text_with(("image/png", PNG))
    await mailroom.work(deletes=True, may_delete=False)
    assert (mailroom.rows()[0].twilio_copy, mailroom.left_to_do()) == ("due", [media_at_twilio.KIND])
    await mailroom.work(deletes=False)  # even when the line has changed its mind since
    assert mailroom.twilio.message(sid).media == ()


async def test_a_deletion_is_tried_until_twilio_has_done_it(mailroom):
    sid = await mailroom.text_with(("image/png", PNG))
    mailroom.twilio.faults.on_requests(BROKEN, method="DELETE")
    for _ in range(4):
        await mailroom.work(seconds=60, deletes=True)
    assert (mailroom.rows()[0].twilio_copy, mailroom.left_to_do()) == ("due", [media_at_twilio.KIND])
    mailroom.twilio.faults.clear()
    await mailroom.work(seconds=60, deletes=True)
    assert mailroom.twilio.message(sid).media == ()
    assert mailroom.left_to_do() == []


async def test_a_copy_that_is_gone_already_counts_as_deleted(mailroom):
    sid = await mailroom.text_with(("image/png", PNG))
    await mailroom.work(deletes=True, may_delete=False)
    await mailroom.fetcher.delete(mailroom.rows()[0].url)
    assert mailroom.twilio.message(sid).media == ()
    await mailroom.work()
    assert (mailroom.rows()[0].twilio_copy, mailroom.left_to_do()) == ("gone", [])
