"""A small gym with a calendar of its own, and Ana, Bruno and Cleo who text it."""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from replyline.clock import FakeClock
from replyline.db import Conn, Db, open_db
from replyline.db.migrate import Migrations, migrate
from replyline.plugins.appointments import Appointments, Service
from replyline.plugins.appointments.tables import metadata
from replyline.plugins.context import ActionContext, Contact, ContextRequest
from replyline.plugins.line import Line
from tests.support import databases, postgres_server

EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PHONES = {"ana": "+13125550101", "bruno": "+13125550102", "cleo": "+13125550103"}

MIGRATIONS = Migrations(name=Appointments.name, folder=Path(str(Appointments.migrations)))
CALLS = count()  # every call is another one, unless a test says `once`


class Gym:
    """The line, its clock, and a way to call its actions as one person."""

    def __init__(self, db: Db, clock: FakeClock, line: Line) -> None:
        self.db, self.clock, self.line = db, clock, line

    def contact(self, who: str) -> Contact:
        return Contact(id=f"con_{who}", phone=PHONES.get(who, "+13125550199"), name=who.title())

    def context(self, who: str, once: str | None = None, db: Db | None = None) -> ActionContext:
        return ActionContext(
            contact=self.contact(who),
            line=self.line,
            clock=self.clock,
            db=db or self.db,
            turn="trn_1",
            conversation="cnv_1",
            once=once or f"call-{next(CALLS)}",
        )

    async def call(self, action: str, who: str, *, once: str | None = None, db: Db | None = None, **given: Any) -> str:
        return await self.line.actions[action].call(self.context(who, once, db), json.dumps(given))

    async def book(self, who: str, starts_at: str, service: str = "yoga", **more: Any) -> str:
        return await self.call("schedule_appointment", who, service=service, starts_at=starts_at, **more)

    async def move(self, who: str, appointment_id: str, starts_at: str, **more: Any) -> str:
        return await self.call("update_appointment", who, appointment_id=appointment_id, starts_at=starts_at, **more)

    async def cancel(self, who: str, appointment_id: str, **more: Any) -> str:
        return await self.call("cancel_appointment", who, appointment_id=appointment_id, **more)

    async def record(self, who: str) -> dict[str, Any]:
        """What the model would be told of this person."""
        (context,) = self.line.contexts
        request = ContextRequest(contact=self.contact(who), line=self.line, clock=self.clock, db=self.db)
        return dict(await context(request))  # type: ignore[misc]

    async def times_of(self, who: str) -> list[str]:
        return [each["starts_at"] for each in (await self.record(who))["appointments"]]


def appointments(**changed: Any) -> Appointments:
    given = {
        "services": [
            Service(name="yoga", minutes=60, capacity=2, price="$15", starts=["07:00", "18:00", "19:00"]),
            Service(name="haircut", minutes=30, price="$40", resource="chair"),
            Service(name="shave", minutes=20, resource="chair"),
        ],
        "opening_hours": dict.fromkeys(EVERY_DAY, "06:00-21:00") | {"sunday": "closed"},
    }
    return Appointments(**(given | changed))  # type: ignore[arg-type]


@pytest.fixture
def make_gym(calendar_db, clock):
    """Make a line with these appointments: Monday 23 November 2026, noon in Los Angeles."""
    clock.set("2026-11-23 12:00 America/Los_Angeles")

    def make(**changed: Any) -> Gym:
        line = Line(name="Gym", instructions="", timezone="America/Los_Angeles", plugins=[appointments(**changed)])
        return Gym(calendar_db, clock, line)

    return make


@pytest.fixture
def gym(make_gym) -> Gym:
    return make_gym()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def calendar_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the plugin's tables, made once for each engine: making one takes longer than most tests here."""
    if request.param == "sqlite":
        url = databases.sqlite_database(tmp_path_factory.mktemp("calendar"))
        migrate(url, extra=[MIGRATIONS])
        yield url
        return
    try:
        postgres_server.server_url()
    except postgres_server.NoPostgres as none:
        pytest.skip(f"PostgreSQL: {none}")
    with databases.postgres_database() as url:
        migrate(url, extra=[MIGRATIONS])
        yield url


@pytest.fixture
async def calendar_db(calendar_url: str) -> AsyncIterator[Db]:
    """The database, open, with nothing booked in it."""
    db = open_db(calendar_url)
    await db.run(clear)
    yield db
    await db.close()


def clear(conn: Conn) -> None:
    for table in reversed(metadata.sorted_tables):
        conn.execute(delete(table))
