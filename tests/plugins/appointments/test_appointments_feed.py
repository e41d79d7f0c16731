"""The calendar feed: signed, parsed by a calendar, and silent about people's numbers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from icalendar import Calendar
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import Route

from replyline.plugins.appointments.feed import feed_path
from replyline.plugins.hooks import WebContext

SECRET = b"only for tests"


@pytest.fixture
def browser(gym):
    """Opens the line's pages, as served below `/plugins`."""
    web = WebContext(line=gym.line, db=gym.db, clock=gym.clock, secret=SECRET)
    (page,) = gym.line.pages

    async def answer(request):
        return await page.answer(web, request)

    return Browser(Starlette(routes=[Route(page.path, answer)]))


@dataclass
class Answer:
    status_code: int
    headers: Headers
    content: bytes

    @property
    def text(self):
        return self.content.decode()


class Browser:
    """Asks an application without a network."""

    def __init__(self, app):
        self.app = app

    async def get(self, path):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": unquote(path), "headers": [], "query_string": b""}
        await self.app(scope, receive, send)
        return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent))


async def events(browser, path):
    answer = await browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.content).walk("VEVENT")


async def test_an_appointment_is_an_event_at_its_instant(gym, browser):
    await gym.book("ana", "2026-11-24T18:00:00")
    (event,) = await events(browser, feed_path(SECRET, "gym", "con_ana"))
    assert event.start == datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert event.end == datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert event.summary == "yoga at Gym"
    assert str(event.status) == "CONFIRMED"


async def test_a_move_is_the_same_event_with_a_higher_sequence(gym, browser):
    await gym.book("ana", "2026-11-24T18:00:00")
    (before,) = await events(browser, feed_path(SECRET, "gym", "con_ana"))
    await gym.move("ana", "A1", "2026-11-25T18:00:00")
    (after,) = await events(browser, feed_path(SECRET, "gym", "con_ana"))
    assert after.uid == before.uid
    assert after.sequence > before.sequence
    assert after.start == datetime(2026, 11, 26, 2, tzinfo=UTC)


async def test_a_cancelled_one_stays_in_the_feed_as_cancelled(gym, browser):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.cancel("ana", "A1")
    (event,) = await events(browser, feed_path(SECRET, "gym", "con_ana"))
    assert str(event.status) == "CANCELLED"
    assert event.sequence == 1


async def test_each_season_has_its_own_instants(gym, browser):
    gym.clock.set("2026-10-30 12:00 America/Los_Angeles")
    await gym.book("ana", "2026-10-31T18:00:00")
    await gym.book("ana", "2026-11-02T18:00:00")
    summer, winter = await events(browser, feed_path(SECRET, "gym", "con_ana"))
    assert summer.start == datetime(2026, 11, 1, 1, tzinfo=UTC)
    assert winter.start == datetime(2026, 11, 3, 2, tzinfo=UTC)


async def test_a_contacts_feed_has_their_own_and_nobodys_number(gym, browser):
    await gym.book("ana", "2026-11-24T18:00:00", notes="Left knee\nhurts; be kind, please")
    await gym.book("bruno", "2026-11-24T19:00:00")
    answer = await browser.get(feed_path(SECRET, "gym", "con_ana"))
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert event.description == "Left knee\nhurts; be kind, please"
    assert "+1312" not in answer.text
    assert "Bruno" not in answer.text


async def test_the_staffs_feed_has_everybody_and_how_to_reach_them(gym, browser):
    await gym.book("ana", "2026-11-24T18:00:00")
    await gym.book("bruno", "2026-11-24T19:00:00")
    ana, bruno = await events(browser, feed_path(SECRET, "gym"))
    assert ana.summary == "yoga: Ana (+13125550101)"
    assert bruno.summary == "yoga: Bruno (+13125550102)"


async def test_what_is_long_past_is_left_out(gym, browser):
    await gym.book("ana", "2026-11-24T18:00:00")
    gym.clock.advance(days=90)
    assert len(await events(browser, feed_path(SECRET, "gym"))) == 1
    gym.clock.advance(days=10)
    assert await events(browser, feed_path(SECRET, "gym")) == []


async def test_a_feed_without_appointments_is_still_a_calendar(browser):
    answer = await browser.get(feed_path(SECRET, "gym"))
    calendar = Calendar.from_ical(answer.content)
    assert str(calendar["version"]) == "2.0"
    assert calendar.walk("VEVENT") == []


@pytest.mark.parametrize(
    "path",
    [
        feed_path(b"another secret", "gym", "con_ana"),
        feed_path(SECRET, "another-line", "con_ana"),
        feed_path(SECRET, "gym", "con_ana").replace("con_ana", "con_bruno"),
        feed_path(SECRET, "gym", "con_ana").replace("con_ana", "staff"),
        "/appointments/staff.ics",
        "/appointments/staff..ics",
        "/appointments/.ics",
        "/appointments/staff.%C3%A9.ics",
    ],
)
async def test_a_link_that_is_not_ours_finds_nothing(gym, browser, path):
    await gym.book("ana", "2026-11-24T18:00:00")
    answer = await browser.get(path)
    assert answer.status_code == 404
    assert "yoga" not in answer.text
