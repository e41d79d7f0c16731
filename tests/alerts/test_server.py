"""The whole way: a server whose model refuses, and the one who is told of it."""

import asyncio

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from replyline.alerts import raise_alert
from replyline.alerts.level import Level
from replyline.app import wire
from replyline.cli import main
from replyline.db import open_db
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

    def make(written, *answers):
        settings = desk_settings("http://127.0.0.1:9", database_url=database_url, media_dir=tmp_path / "media")
        settings = settings.model_copy(update={"alerts": SecretStr(written)})
        db = open_db(database_url)
        servers.append(db)
        server = wire(settings, a_line(), model=FixedModel(list(answers)), clock=clock, db=db)
        servers[-1] = server
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
