"""The whole road: a phone texts, the server answers, over real HTTP on this machine."""

import asyncio

import pytest
from sqlalchemy import select

from replyline import ActionContext
from replyline.db.tables import media, steps, texts, turns
from replyline.desk import open_desk
from replyline.examples.gym import line as gym
from replyline.llm.fixed import FixedAnswers, always, call, fixed_answers
from replyline.llm.scripted import scripted_model
from tests.support.cast import a_line

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


def quick(**given):
    return a_line(settle=0.05, **given)


def rows(desk, table):
    return desk.app.db.run_blocking(lambda conn: conn.execute(select(table)).all())


async def delivered(desk, count):
    """Wait until so many texts of ours have been reported delivered."""
    async with asyncio.timeout(10):
        while sum(row.status == "delivered" for row in rows(desk, texts)) < count:
            await asyncio.sleep(0.02)


async def test_the_readmes_conversation_with_the_gym(database_url):
    async with open_desk(gym, model=scripted_model(), database_url=database_url) as desk:
        phone = desk.phone()
        for said, expected in [
            ("Can I come to yoga tomorrow at 6pm?", "6pm"),
            ("what do I have booked?", "yoga"),
            ("move it to 7", "7pm"),
            ("cancel it please", "canceled"),
        ]:
            await phone.text(said)
            assert expected in await phone.next_reply(timeout=20)
        await delivered(desk, 4)


async def test_stop_start_and_help_do_what_twilio_does_with_them(database_url):
    async with open_desk(quick(), model=always("Hello!"), database_url=database_url) as desk:
        phone = desk.phone()
        await phone.text("STOP")
        assert "unsubscribed" in await phone.next_reply()
        await phone.text("Are you there?")
        await asyncio.sleep(0.5)
        assert len(phone.screen) == 1, "nobody is answered after STOP, and only Twilio confirms"
        await phone.text("START")
        assert "re-subscribed" in await phone.next_reply()
        await phone.text("Are you there?")
        assert await phone.next_reply() == "Hello!"
        await phone.text("HELP")
        assert "STOP" in await phone.next_reply()
        await asyncio.sleep(0.3)
        assert len(phone.screen) == 4


async def test_a_picture_is_fetched_kept_and_shown_to_the_model(database_url):
    shown = []

    def look(prompt):
        shown.extend(picture for part in prompt.turns for picture in getattr(part, "pictures", ()))
        return "Nice picture!"

    async with open_desk(quick(), model=FixedAnswers(look), database_url=database_url) as desk:
        phone = desk.phone()
        await phone.text("Look!", media=[("image/png", PNG)])
        assert await phone.next_reply() == "Nice picture!"
        (kept,) = rows(desk, media)
        assert (kept.state, kept.size, kept.content_type) == ("kept", len(PNG), "image/png")
        assert [(picture.media_type, picture.content) for picture in shown] == [("image/png", PNG)]


async def test_many_phones_at_once_are_each_answered_once(database_url):
    async with open_desk(quick(segments_per_second=1000), model=always("Hi!"), database_url=database_url) as desk:
        phones = [desk.phone(f"+1212555{n:04d}") for n in range(200, 240)]
        await asyncio.gather(*(phone.text("Hello") for phone in phones))
        await asyncio.gather(*(phone.next_reply(timeout=20) for phone in phones))
        await asyncio.sleep(0.3)
        assert [phone.screen for phone in phones] == [["Hi!"]] * len(phones)
        assert {row.state for row in rows(desk, turns)} == {"done"}


async def test_a_turn_with_an_action_is_recorded_step_by_step(database_url):
    line = quick()

    @line.action
    def book(ctx: ActionContext, kind: str) -> str:
        """Book a class."""
        return f"Booked {kind} for {ctx.contact.phone[-4:]}."

    model = fixed_answers(call("book", kind="yoga"), "You're in!")
    async with open_desk(line, model=model, database_url=database_url) as desk:
        phone = desk.phone()
        await phone.text("Book yoga")
        assert await phone.next_reply() == "You're in!"
        found = sorted(rows(desk, steps), key=lambda row: row.position)
        assert [(row.kind, row.name, row.output if row.kind == "action" else None) for row in found] == [
            ("model", found[0].name, None),
            ("action", "book", "Booked yoga for 0123."),
            ("model", found[2].name, None),
        ]


@pytest.mark.parametrize("path", ["/", "/simulator/", "/healthz", "/readyz"])
async def test_the_pages_answer(path):
    import aiohttp

    async with open_desk(quick(), model=always("Hi")) as desk, aiohttp.ClientSession() as web:
        async with web.get(desk.url + path) as answer:
            assert answer.status == 200
