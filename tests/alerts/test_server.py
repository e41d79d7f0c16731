"""The whole way: a server whose model refuses, and the one who is told of it."""

import asyncio
from datetime import timedelta

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import select

from replyline.alerts import raise_alert, tallies
from replyline.alerts.level import Level
from replyline.app import wire
from replyline.cli import main
from replyline.db import open_db
from replyline.db.tables import work
from replyline.desk import desk_settings
from replyline.inbound import backfill
from replyline.inbound.receive import receive
from replyline.llm.errors import ModelRefused
from replyline.settings import BadSetting
from replyline.watch import look
from tests.support.cast import MONDAY, a_line, an_arrival
from tests.support.road import FixedModel, says


@pytest.fixture
async def make_server(database_url, clock, tmp_path):
    servers = []

    def make(written, *answers, closes_itself=False):
        settings = desk_settings("http://127.0.0.1:9", database_url=database_url, media_dir=tmp_path / "media")
        settings = settings.model_copy(update={"alerts": SecretStr(written)})
        server = wire(settings, a_line(), model=FixedModel(list(answers)), clock=clock, db=open_db(database_url))
        servers.extend([] if closes_itself else [server])
        return server

    yield make
    for each in servers:
        await each.close()


async def minutes(server, clock, count):
    for _ in range(count):
        clock.advance(minutes=1)
        await server.worker.work_until_idle()


async def test_whoever_is_on_call_hears_that_the_model_refuses_and_that_it_answers_again(make_server, clock, ends):
    server = make_server(ends.webhook(), ModelRefused("No credit."), says("Hello!"))
    await server.db.run(look.begin, clock.now())
    await server.db.run(receive, [an_arrival("hi", line=server.line, at=clock.now())])
    await minutes(server, clock, 5)
    assert ends.titles() == ["Gym: model: wrong"]
    assert ends.of()[0]["message"].startswith("The model's provider refused 1 turn within half an hour")
    await minutes(server, clock, 60)
    assert [title for title in ends.titles() if "model" in title] == ["Gym: model: wrong", "Gym: model: over"]


async def test_a_twilio_that_cannot_be_reached_is_told_after_ten_minutes(make_server, clock, ends):
    server = make_server(ends.webhook())
    await server.db.run(look.begin, clock.now())
    await server.db.run(backfill.begin, server.line.key, clock.now())
    await minutes(server, clock, 10)
    assert ends.titles() == []
    await minutes(server, clock, 3)
    assert ends.titles() == ["Gym: twilio: wrong"]


async def test_a_server_looks_from_its_start_and_writes_its_counts_down(make_server, clock):
    server = make_server("", closes_itself=True)
    async with server.running():
        kinds = await server.db.run(lambda conn: conn.execute(select(work.c.kind)).scalars().all())
        assert look.KIND in kinds
        server.counts.seen["texts_not_stored"] += 1
        async with asyncio.timeout(5):
            while not await server.db.run(tallies.since, clock.now() - timedelta(hours=1), clock.now()):
                clock.advance(seconds=10)
                await asyncio.sleep(0.01)


def test_trying_something_out_wakes_nobody(monkeypatch):
    monkeypatch.setenv("REPLYLINE_ALERTS", "json://127.0.0.1/hook")
    assert desk_settings("http://127.0.0.1:9").alerts is None


async def test_a_bad_address_stops_the_start(database_url, clock, tmp_path):
    settings = desk_settings("http://127.0.0.1:9", database_url=database_url, media_dir=tmp_path / "media")
    settings = settings.model_copy(update={"alerts": SecretStr("nowhere://secret")})
    db = open_db(database_url)
    try:
        with pytest.raises(BadSetting, match="REPLYLINE_ALERTS is not usable: address 1"):
            wire(settings, a_line(), model=FixedModel([]), clock=clock, db=db)
    finally:
        await db.close()


def asked(*words, **environ):
    return CliRunner().invoke(main, ["alerts", *words], env=environ)


def test_show_lists_what_goes_on_the_most_urgent_first(database_url):
    db = open_db(database_url)
    db.run_blocking(raise_alert, "budget", Level.LOOK, "Most of it is spent.", now=MONDAY)
    db.run_blocking(raise_alert, "twilio", Level.WRONG, "It is away.", now=MONDAY)
    db.close_blocking()
    shown = asked("show", REPLYLINE_DATABASE_URL=database_url)
    assert shown.output == (
        "wrong  twilio, since 2026-03-02 18:00 UTC: It is away.\n"
        "look   budget, since 2026-03-02 18:00 UTC: Most of it is spent.\n"
    )
    assert '"key": "budget"' in asked("show", "--json", REPLYLINE_DATABASE_URL=database_url).output


def test_show_says_so_when_nothing_goes_on(database_url):
    assert asked("show", REPLYLINE_DATABASE_URL=database_url).output == "Nothing goes on.\n"


async def test_the_test_says_which_address_took_it(ends, tmp_path):
    ends.status["/bad"] = 403
    file = tmp_path / "alerts"
    file.write_text(f"{ends.webhook('good')}\n{ends.webhook('bad')}\n{ends.mail()}\n")
    ran = await asyncio.to_thread(asked, "test", REPLYLINE_ALERTS_FILE=str(file))
    assert ran.output == "1. json: told.\n2. json: not told: it answered 403.\n3. mailto: told.\n"
    assert ran.exit_code == 1
    assert ends.titles("good") == ["Replyline: a test"]
    del ends.status["/bad"]
    assert (await asyncio.to_thread(asked, "test", REPLYLINE_ALERTS_FILE=str(file))).exit_code == 0


def test_the_test_names_the_setting_that_is_missing():
    assert "REPLYLINE_ALERTS is not set." in asked("test", REPLYLINE_ALERTS="").output
