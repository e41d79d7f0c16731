"""The phone page's side of the server: what its buttons do, and what it is told as it happens."""

import asyncio
import base64
import contextlib
import io
import json

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from replyline.clock import SystemClock
from replyline.inbound.limits import PerAddress
from replyline.inbound.webhooks import Counts, Sms
from replyline.simulator import SimulatedTwilio, serve
from replyline.simulator.handsets import FIRST_PHONE, MOST_PHONES
from replyline.simulator.phone_page import LARGEST_PICTURES, MEANWHILE, SPLIT, phone_page_routes
from tests.support.cast import GYM_NUMBER, a_line

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
SMS = "/webhooks/twilio/sms"


class Page:
    """A page that is open in a browser without eyes."""

    def __init__(self, url, session, twilio, stopping):
        self.url, self.session, self.twilio, self.stopping = url, session, twilio, stopping

    async def get(self, path=""):
        async with self.session.get(f"{self.url}/simulator/{path}") as answer:
            return answer.status, answer.headers, await answer.read()

    async def ask(self, path, given=None, **headers):
        body = io.BytesIO(json.dumps(given or {}).encode())
        headers = {"Content-Type": "application/json"} | headers
        async with self.session.post(f"{self.url}/simulator/{path}", data=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def text(self, body="", *, pictures=(), phone=FIRST_PHONE):
        sent = [{"content": base64.b64encode(picture).decode()} for picture in pictures]
        return await self.ask(f"phones/{phone}/texts", {"body": body, "pictures": sent})

    @contextlib.asynccontextmanager
    async def follow(self):
        """The events, as an async iterator of name and data."""
        async with self.session.get(f"{self.url}/simulator/events") as answer:
            assert answer.content_type == "text/event-stream"
            yield events_of(answer)

    async def until(self, holds, phone=FIRST_PHONE):
        """What the page is told of a phone, once something holds of it."""
        async with asyncio.timeout(10), self.follow() as events:
            async for name, told in events:
                if name == "phone" and told["number"] == phone and holds(told):
                    return told
        raise AssertionError("The stream ended.")


async def events_of(answer):
    name = ""
    async for raw in answer.content:
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


@contextlib.asynccontextmanager
async def opened(db, *, sms=SMS, fallback=""):
    line, clock, stopping = a_line(), SystemClock(), asyncio.Event()
    twilio = SimulatedTwilio(clock=clock)
    pages = phone_page_routes(
        twilio=twilio,
        db=db,
        line=line,
        our_number=GYM_NUMBER,
        clock=clock,
        model_note="A note.",
        stopping=stopping,
    )
    app = Starlette(routes=[Mount("/simulator", routes=pages)])
    async with serve(app) as url, aiohttp.ClientSession() as session:
        webhook = Sms(
            path=SMS,
            public_url=url,
            auth_tokens=(twilio.auth_token,),
            line=line,
            db=db,
            clock=clock,
            limit=PerAddress(),
            counts=Counts(),
        )
        app.router.routes.append(Route(SMS, webhook))
        twilio.add_number(GYM_NUMBER, sms_url=f"{url}{sms}", fallback_url=fallback and f"{url}{fallback}")
        yield Page(url, session, twilio, stopping)
        stopping.set()
        await twilio.close()


@pytest.fixture
async def page(db):
    async with opened(db) as page:
        yield page


async def test_the_page_needs_nothing_from_elsewhere(page):
    for path, content_type in (("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")):
        status, headers, content = await page.get(path)
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, content_type)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert b"//" not in content.replace(b"// ", b"").replace(b"http://www.w3.org/2000/svg", b"")


async def test_the_page_never_makes_markup_of_what_people_wrote(page):
    _, _, script = await page.get("page.js")
    for way in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write"):
        assert way not in script


async def test_the_page_is_greeted_with_the_line(page):
    async with page.follow() as events:
        name, told = await anext(events)
    assert name == "line"
    assert (told["name"], told["number"], told["note"]) == ("Gym", GYM_NUMBER, "A note.")


async def test_a_text_is_on_the_phone_and_in_the_trail(page):
    status, answer = await page.text("Are you open?")
    assert status == 200
    told = await page.until(lambda told: told["exchanges"])
    (bubble,) = told["screen"]
    assert (bubble["id"], bubble["body"], bubble["is_mine"]) == (answer["sid"], "Are you open?", True)
    assert bubble["state"] == "answered"
    webhook = told["exchanges"][0]["moments"][0]
    assert webhook["note"] == "Signature checked, stored. Answered 200."
    assert webhook["took"] >= 0


async def test_a_page_that_is_open_hears_of_a_text(page):
    async with asyncio.timeout(10), page.follow() as events:
        assert [(await anext(events))[0] for _ in range(2)] == ["line", "phone"]
        await page.text("Are you open?")
        async for _, told in events:
            if told["exchanges"]:
                break
    assert told["screen"][0]["body"] == "Are you open?"


async def test_only_a_phone_that_changed_is_told_again(page):
    await page.ask("phones")
    async with asyncio.timeout(10), page.follow() as events:
        assert [(await anext(events))[0] for _ in range(3)] == ["line", "phone", "phone"]
        await page.text("Hi")
        for _ in range(2):
            _, told = await anext(events)
            assert told["number"] == FIRST_PHONE
            if told["exchanges"]:
                break


async def test_a_phone_can_be_added_until_the_desk_is_full(page):
    for _ in range(MOST_PHONES - 1):
        status, answer = await page.ask("phones")
        assert status == 200
        await page.until(lambda told: True, phone=answer["number"])
    status, answer = await page.ask("phones")
    assert status == 400
    assert "enough" in answer["error"]


async def test_a_phone_that_somebody_else_texts_from_shows_up(page):
    await page.twilio.text_from_phone(from_="+13125550190", to=GYM_NUMBER, body="Hello?")
    told = await page.until(lambda told: told["exchanges"], phone="+13125550190")
    assert told["screen"][0]["body"] == "Hello?"


async def test_a_picture_is_sent_and_can_be_seen(page):
    status, answer = await page.text("My knee", pictures=[PNG])
    assert status == 200
    told = await page.until(lambda told: told["exchanges"])
    assert told["screen"][0]["pictures"] == [f"pictures/{answer['sid']}/0"]
    assert told["exchanges"][0]["texts"][0]["pictures"][0]["content_type"] == "image/png"
    status, headers, content = await page.get(told["screen"][0]["pictures"][0])
    assert (status, headers["Content-Type"], content) == (200, "image/png", PNG)
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_picture_that_is_not_there_is_not_found(page):
    _, answer = await page.text("No picture")
    assert (await page.get(f"pictures/{answer['sid']}/0"))[0] == 404
    assert (await page.get("pictures/SM1/0"))[0] == 404


@pytest.mark.parametrize(
    ("body", "pictures", "why"),
    [
        ("", [], "Write something"),
        (" \n", [], "Write something"),
        ("x" * 1601, [], "1600 characters"),
        ("", [b"<svg onload='alert(1)'/>"], "JPEG, PNG and GIF"),
        ("", [PNG] * 11, "10 pictures"),
        ("", [PNG + bytes(LARGEST_PICTURES)], "5 MB"),
        ("", [PNG + bytes(2 * LARGEST_PICTURES)], "5 MB"),
    ],
)
async def test_what_a_phone_cannot_send_is_refused_in_a_sentence(page, body, pictures, why):
    status, answer = await page.text(body, pictures=pictures)
    assert status == 400
    assert why in answer["error"]
    assert page.twilio.messages == []


@pytest.mark.parametrize(
    "given", [[], {"body": 3}, {"pictures": "x"}, {"pictures": [{}]}, {"pictures": [{"content": "?"}]}]
)
async def test_a_request_that_is_no_text_is_refused(page, given):
    async with page.session.post(f"{page.url}/simulator/phones/{FIRST_PHONE}/texts", json=given) as answer:
        assert answer.status == 400


async def test_a_phone_that_is_not_on_the_desk_cannot_text(page):
    status, answer = await page.text("Hi", phone="+13125550199")
    assert status == 400
    assert "no phone" in answer["error"]


async def test_another_site_cannot_text_through_the_page(page):
    for path in ("phones", f"phones/{FIRST_PHONE}/texts", f"phones/{FIRST_PHONE}/burst"):
        assert (await page.ask(path, {"body": "Hi"}, Origin="https://elsewhere.example"))[0] == 403
        # What a browser sends without asking first.
        async with page.session.post(f"{page.url}/simulator/{path}", data='{"body": "Hi"}') as answer:
            assert answer.status == 403
    assert page.twilio.messages == []


async def test_the_page_itself_can_text_also_with_an_origin(page):
    assert (await page.ask(f"phones/{FIRST_PHONE}/texts", {"body": "Hi"}, Origin=page.url))[0] == 200


async def test_a_burst_is_five_texts_of_three_phones(page):
    status, answer = await page.ask(f"phones/{FIRST_PHONE}/burst")
    assert status == 200
    assert len(answer["sids"]) == 5
    said = {}
    for message in page.twilio.messages:
        said.setdefault(message.sender, []).append(message.body)
    assert tuple(said.pop(FIRST_PHONE)) == SPLIT
    assert {body for bodies in said.values() for body in bodies} == set(MEANWHILE)
    assert len(said) == 2
    told = await page.until(lambda told: told["exchanges"] and len(told["exchanges"][0]["texts"]) == 3)
    assert len(told["exchanges"]) == 1


async def test_an_opt_out_is_told(page):
    await page.text("STOP")
    told = await page.until(lambda told: told["optedOut"])
    assert told["optedOut"]["source"] == "keyword"
    assert told["screen"][1]["note"] == "Twilio's own answer"


async def test_the_stream_ends_when_the_server_stops(page):
    async with asyncio.timeout(5), page.follow() as events:
        await anext(events)
        page.stopping.set()
        async for _ in events:
            pass


async def test_a_webhook_that_is_not_answered_shows_on_the_phone(db):
    async with opened(db, sms="/nowhere") as page:
        await page.text("Hi")
        told = await page.until(lambda told: told["screen"])
        assert told["screen"][0]["state"] == "not answered"
        assert told["exchanges"] == []


async def test_a_text_that_the_fallback_took_says_so(db):
    async with opened(db, sms="/nowhere", fallback=SMS) as page:
        await page.text("Hi")
        told = await page.until(lambda told: told["exchanges"])
        assert told["screen"][0]["state"] == "answered"
        assert told["exchanges"][0]["moments"][0]["note"].endswith(
            "Answered 200. Twilio called 2 times; it counts once."
        )


async def test_phones_and_conversations_come_back_after_a_restart(db):
    async with opened(db) as page:
        await page.ask("phones")
        await page.text("Hi")
        await page.twilio.text_from_phone(from_="+13125550142", to=GYM_NUMBER, body="Hello?")
    async with opened(db) as page:
        told = await page.until(lambda told: told["screen"], phone="+13125550142")
        assert [(bubble["body"], bubble["is_mine"]) for bubble in told["screen"]] == [("Hello?", True)]
