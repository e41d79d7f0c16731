"""Pictures of ours: taken when phones can be sent them, and there for Twilio by a link that runs out."""

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from replyline.conversations.media_store import FolderStore, read_all
from replyline.conversations.pictures import OwnPicture
from replyline.outbound.own_pictures import UnsendablePicture, check, keep
from replyline.outbound.picture_links import PATH, PictureLinks, PicturePage
from replyline.outbound.queue import UnsendableText
from replyline.simulator import serve
from tests.support.post import LINKS

KB, MB = 1024, 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 64
BMP = b"BM" + b"\x00" * 64
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "


def test_a_picture_is_taken_for_what_its_bytes_show():
    checked = check([("a.jpg", PNG), ("b", JPEG), ("c.gif", b"GIF89a"), ("d.bmp", BMP)])
    assert [each.content_type for each in checked] == ["image/png", "image/jpeg", "image/gif", "image/bmp"]


@pytest.mark.parametrize(
    ("pictures", "why"),
    [
        ([("a.webp", WEBP)], "a.webp is no picture that phones can be sent"),
        ([("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>")], "a.png is no picture"),
        ([("a.png", b"")], "a.png is no picture"),
        ([("a.bmp", BMP + b"\0" * 500 * KB)], "a.bmp is larger than 500 kB"),
        ([("a.png", PNG + b"\0" * 5 * MB)], "5 MB in all"),
        ([("a.png", PNG + b"\0" * 3 * MB), ("b.jpg", JPEG + b"\0" * 3 * MB)], "5 MB in all"),
    ],
)
def test_what_phones_cannot_be_sent_is_refused_in_a_sentence(pictures, why):
    with pytest.raises(UnsendablePicture, match=why):
        check(pictures)


async def test_the_same_picture_is_kept_once(tmp_path):
    store = FolderStore(tmp_path)
    first, second = [await keep(store, each) for each in check([("a.png", PNG), ("b.png", PNG)])]
    assert first == second
    assert await read_all(store, first.path) == PNG


async def test_two_may_send_the_same_picture_at_the_same_moment(tmp_path):
    other_is_done = asyncio.Event()

    class Slow(FolderStore):
        async def put(self, key, chunks):
            async def slowly():
                async for chunk in chunks:
                    yield chunk
                    await other_is_done.wait()

            await super().put(key, slowly())

    [picture] = check([("a.png", PNG)])
    first = asyncio.create_task(keep(Slow(tmp_path), picture))
    while not list(tmp_path.glob("coming/*")):
        await asyncio.sleep(0.001)
    second = await keep(FolderStore(tmp_path), picture)
    other_is_done.set()
    assert await first == second
    assert await read_all(FolderStore(tmp_path), second.path) == PNG


@dataclass
class Gallery:
    """The page that answers links, on a port, and the road that sends them."""

    post: object
    url: str
    session: aiohttp.ClientSession

    async def ask(self, link, method="GET"):
        async with self.session.request(method, self.here(link)) as response:
            return response.status, response.headers, await response.read()

    def here(self, link):
        return link.replace(LINKS.public_url, self.url)

    async def sent(self, *own):
        """Send a text with pictures; gives the links that Twilio got."""
        self.post.say(pictures=own)
        await self.post.work()
        await self.post.twilio.settle()
        return self.post.phone().received[-1].media_urls


@pytest.fixture
async def gallery(post, tmp_path):
    store = FolderStore(tmp_path / "media")
    page = PicturePage(post.db, post.clock, store, LINKS)
    async with serve(Starlette(routes=[Route(PATH, page.answer)])) as url, aiohttp.ClientSession() as session:
        yield Gallery(post, url, session)


@pytest.fixture
async def own(gallery, tmp_path):
    return [await keep(FolderStore(tmp_path / "media"), each) for each in check([("a.png", PNG), ("b.jpg", JPEG)])]


async def test_twilio_gets_a_picture_by_the_link_in_the_text(gallery, own):
    links = await gallery.sent(*own)
    answers = [await gallery.ask(link) for link in links]
    assert [(status, content) for status, _, content in answers] == [(200, PNG), (200, JPEG)]
    headers = answers[1][1]
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Disposition"] == 'inline; filename="picture.jpg"'
    assert headers["Cache-Control"] == "private"
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_twilio_may_look_before_it_fetches(gallery, own):
    (link,) = await gallery.sent(own[0])
    status, headers, content = await gallery.ask(link, "HEAD")
    assert (status, content) == (200, b"")
    assert (headers["Content-Type"], headers["Content-Length"]) == ("image/png", str(len(PNG)))


async def test_a_link_outlasts_twilios_queue_and_then_runs_out(gallery, own):
    (link,) = await gallery.sent(own[0])
    gallery.post.clock.advance(hours=23)
    assert (await gallery.ask(link))[0] == 200
    gallery.post.clock.advance(hours=1)
    assert (await gallery.ask(link))[0] == 404


async def test_a_link_lasts_from_when_the_text_leaves(gallery, own):
    post = gallery.post
    text_id = post.say(pictures=own[:1])
    post.clock.advance(hours=30)
    await post.work()
    await post.twilio.settle()
    (link,) = post.phone().received[-1].media_urls
    assert (await gallery.ask(link))[0] == 200
    assert "http" not in str(post.row(text_id).media), "the link is made when the text leaves, and not stored"


async def test_whatever_is_wrong_with_a_link_the_answer_is_the_same(gallery, own):
    (link,) = await gallery.sent(own[0])
    parts = urlsplit(link)
    media_id, query = parts.path.rpartition("/")[2], {name: value for name, (value,) in parse_qs(parts.query).items()}
    until, sig = query["until"], query["sig"]
    stranger = PictureLinks(public_url=LINKS.public_url, secret=b"another")
    now = gallery.post.clock.now()
    wrong = [
        f"/media/{media_id}",
        f"/media/{media_id}?until={until}",
        f"/media/{media_id}?sig={sig}",
        f"/media/{media_id}?until={until}&sig={sig[:-1]}",
        f"/media/{media_id}?until={until}&sig=",
        f"/media/{media_id}?until={until}&sig=%C3%A9",
        f"/media/{media_id}?until={int(until) + 1}&sig={sig}",
        f"/media/{media_id}?until=0{until}&sig={sig}",
        f"/media/{media_id}?until=soon&sig={sig}",
        f"/media/med_other?until={until}&sig={sig}",
        f"/media/..%2F..%2Fetc%2Fpasswd?until={until}&sig={sig}",
        stranger.link(media_id, now),
        LINKS.link("med_that_is_not_there", now),
    ]
    answers = [await gallery.ask(gallery.url + each if each.startswith("/") else each) for each in wrong]
    assert {status for status, _, _ in answers} == {404}
    assert len({content for _, _, content in answers if content != b"Not Found"}) == 1
    assert all("png" not in str(headers) for _, headers, _ in answers)


async def test_a_picture_that_the_store_has_lost_is_not_found(gallery, own, tmp_path):
    (link,) = await gallery.sent(own[0])
    (tmp_path / "media" / own[0].path).unlink()
    assert (await gallery.ask(link))[0] == 404


@pytest.mark.parametrize("given", [{"pictures": 11}, {"pictures": 6, "media_urls": 5}])
def test_a_text_carries_ten_pictures_wherever_they_are(given, post):
    picture = OwnPicture(path="own/aa/aa", content_type="image/png", size=10)
    urls = [f"https://acme.test/{n}.png" for n in range(given.get("media_urls", 0))]
    with pytest.raises(UnsendableText, match="this one has 11"):
        post.say(pictures=[picture] * given["pictures"], media_urls=urls)


async def test_a_picture_needs_no_words(gallery, own):
    text_id = gallery.post.say("", pictures=own[:1])
    await gallery.post.work()
    assert gallery.post.status(text_id) == "sent"
