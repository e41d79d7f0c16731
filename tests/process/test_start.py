"""A start that cannot go well ends at once, with one sentence that says what to do."""

import os

import pytest
from sqlalchemy import text

from replyline.db.migrate import OURS
from tests.support.databases import empty_postgres_database, need_postgres, only_on_sqlite
from tests.support.processes import answers

pytestmark = pytest.mark.process


async def refused(business, *command, **given):
    """The one sentence a command ended with."""
    running = business.run(*command, **given)
    assert await running.end() == 1
    assert running.printed == ""
    (sentence,) = running.logged.splitlines()
    return sentence


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_a_database_of_a_newer_version_is_refused(business, db, command):
    await db.run(lambda conn: conn.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    assert await refused(business, command, "line:line") == (
        f"Error: This database was made by a newer Replyline (schema 9999, this one knows {OURS.newest}); "
        "install that version or newer."
    )


async def test_a_database_without_tables_is_refused_until_migrated(business, tmp_path):
    if business.database_url.startswith("sqlite"):
        await started_after_migrate(business, f"sqlite:///{tmp_path}/fresh.db")
        return
    need_postgres()
    with empty_postgres_database() as url:
        await started_after_migrate(business, url)
        business.end_all()


async def started_after_migrate(business, url):
    business.environment["REPLYLINE_DATABASE_URL"] = url
    assert "run `replyline migrate" in await refused(business, "serve", "line:line")
    migrating = business.run("migrate", "line:line")
    assert await migrating.end() == 0
    assert migrating.printed == "The database is up to date.\n"
    server = business.run("serve", "line:line", "--port", str(business.port), "--no-worker")
    await answers(f"{business.url}/readyz", server)


@only_on_sqlite
@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "REPLYLINE_PUBLIC_URL"])
async def test_a_missing_setting_is_named(business, name):
    sentence = await refused(business, "serve", "line:line", without=name)
    assert sentence.startswith(f"Error: {name} is not set. ")


@only_on_sqlite
async def test_a_setting_may_come_from_a_file(business, tmp_path):
    (tmp_path / "token").write_text(f"{business.environment.pop('TWILIO_AUTH_TOKEN')}\n")
    business.environment["TWILIO_AUTH_TOKEN_FILE"] = os.fspath(tmp_path / "token")
    await business.serve("--no-worker")
    await business.phone().text("Hi, I am guest 7.")
    assert business.twilio.alerts == []


@only_on_sqlite
async def test_a_port_that_is_taken_is_said_in_one_sentence(business):
    await business.serve("--no-worker")
    sentence = await refused(business, "serve", "line:line", "--port", str(business.port))
    assert str(business.port) in sentence
