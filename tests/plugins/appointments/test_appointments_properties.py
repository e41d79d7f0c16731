"""Whatever people book, move and cancel, in whatever order: the calendar says what a simple list would say."""

from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replyline.plugins.appointments import Service, diary
from replyline.plugins.context import ActionContext, Contact
from replyline.plugins.endings import AskAgain
from replyline.plugins.line import Line
from tests.plugins.appointments.conftest import EVERY_DAY, appointments
from tests.plugins.appointments.test_appointments_together import assert_cells_are_the_appointments

LINES = count()
MORNING = datetime(2026, 11, 24, 17, tzinfo=UTC)  # nine o'clock there

PEOPLE = st.sampled_from(["ana", "bruno", "cleo", "dora"])
TIMES = st.integers(min_value=0, max_value=9).map(lambda slot: MORNING + timedelta(minutes=15 * slot))
SERVICES = st.sampled_from(["haircut", "shave", "colour"])
NUMBERS = st.integers(min_value=1, max_value=4)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), PEOPLE, SERVICES, TIMES),
        st.tuples(st.just("move"), PEOPLE, NUMBERS, TIMES),
        st.tuples(st.just("cancel"), PEOPLE, NUMBERS),
    ),
    min_size=1,
    max_size=25,
)


class PlainList:
    """The same rules without a database: a list of [who, number, service, start], none for one that is cancelled."""

    def __init__(self, services: dict[str, Service]) -> None:
        self.services = services
        self.rows: list[list] = []

    def book(self, who, service, start):
        if not self.fits(who, service, start, []):
            return False
        self.rows.append([who, 1 + sum(row[0] == who for row in self.rows), service, start])
        return True

    def move(self, who, number, start):
        row = self.find(who, number)
        if row is None or row[3] is None or not self.fits(who, row[2], start, row):
            return False
        row[3] = start
        return True

    def cancel(self, who, number):
        row = self.find(who, number)
        if row is not None:
            row[3] = None
        return row is not None

    def find(self, who, number):
        return next((row for row in self.rows if row[:2] == [who, number]), None)

    def fits(self, who, service, start, moved):
        wanted = self.services[service]
        others = [row for row in self.rows if row is not moved and row[3] is not None]
        for minute in range(0, wanted.minutes, 5):
            now = start + timedelta(minutes=minute)
            here = [r for r in others if r[3] <= now < r[3] + timedelta(minutes=self.services[r[2]].minutes)]
            if any(r[0] == who and r[2] == service for r in here):
                return False
            if sum(self.services[r[2]].resource == wanted.resource for r in here) >= wanted.capacity:
                return False
        return True


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(capacity=st.integers(min_value=1, max_value=3), made=CALLS)
async def test_the_calendar_does_what_a_plain_list_would(calendar_db, clock, capacity, made):
    clock.set("2026-11-23 12:00 America/Los_Angeles")
    services = [
        Service(name="haircut", minutes=30, resource="chair", capacity=capacity),
        Service(name="shave", minutes=20, resource="chair", capacity=capacity),
        Service(name="colour", minutes=90, capacity=1),
    ]
    plugin = appointments(services=services, opening_hours=dict.fromkeys(EVERY_DAY, "06:00-21:00"))
    line = Line(
        name="Salon", key=f"salon-{next(LINES)}", instructions="", timezone="America/Los_Angeles", plugins=[plugin]
    )
    expected = PlainList({each.name: each for each in services})

    for position, (what, who, *given_) in enumerate(made):
        ctx = ActionContext(
            contact=Contact(id=who, phone="+13125550101"),
            line=line,
            clock=clock,
            db=calendar_db,
            turn="trn",
            conversation="cnv",
            once=str(position),
        )
        did = await attempt(ctx, plugin.timetable, what, given_)
        assert did == getattr(expected, what)(who, *given_), (what, who, given_)
        if position % 5 == 0:
            assert await attempt(ctx, plugin.timetable, what, given_) == did  # once more after a crash

    def theirs(conn, who):
        return [(row.number, row.starts_at) for row in diary.upcoming(conn, who)]

    for who in {row[0] for row in expected.rows}:
        ctx = ActionContext(
            contact=Contact(id=who, phone="+13125550101"),
            line=line,
            clock=clock,
            db=calendar_db,
            turn="trn",
            conversation="cnv",
            once="",
        )
        kept = {(row[1], row[3]) for row in expected.rows if row[0] == who and row[3] is not None}
        assert set(await calendar_db.run(theirs, ctx)) == kept
    await assert_cells_are_the_appointments(calendar_db, capacity=3, line=line.key)


async def attempt(ctx, timetable, what, given_):
    """Whether it was done; refused is false."""
    try:
        if what == "book":
            service, start = given_
            await ctx.db.run(diary.book, ctx, timetable, timetable.services[service], start, "")
        elif what == "move":
            number, start = given_
            await ctx.db.run(diary.move, ctx, timetable, f"A{number}", start)
        else:
            await ctx.db.run(diary.cancel, ctx, f"A{given_[0]}")
    except (AskAgain, diary.NotThen):
        return False
    return True
