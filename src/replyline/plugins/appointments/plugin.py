"""The built-in plugin for businesses that take appointments. It uses the public hooks and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from replyline.plugins.appointments import diary, feed
from replyline.plugins.appointments.opening_hours import read_hours
from replyline.plugins.appointments.seats import Taking, cells_of, seats_taken, unavailable
from replyline.plugins.appointments.service import Service
from replyline.plugins.appointments.timetable import make_timetable
from replyline.plugins.appointments.wording import day_said, listed, said, time_said
from replyline.plugins.context import ActionContext, ContextRequest
from replyline.plugins.endings import AskAgain
from replyline.plugins.line import Line

ALTERNATIVES = 3
DAYS_SEARCHED = 14  # for alternatives, before and after the time that was asked for
IN_RECORD = 10
LONGEST_NOTES = 500


class Appointments:
    """Lets people book, move and cancel appointments by text.

    Line(..., plugins=[Appointments(
        services=[Service(name="yoga", minutes=60, capacity=12, price="$15", starts=["07:00", "18:00"])],
        opening_hours={"monday": "06:00-21:00", ..., "sunday": "closed"},
    )])
    """

    name = "appointments"
    migrations: Path | None = Path(__file__).parent / "migrations"

    def __init__(
        self,
        *,
        services: Sequence[Service],
        opening_hours: Mapping[str, str],
        closed_on: Iterable[date] = (),
        slot_minutes: int = 15,
        book_ahead_days: int = 60,
        notice_minutes: int = 0,
    ) -> None:
        self.timetable = make_timetable(
            services,
            read_hours(opening_hours, closed_on),
            slot_minutes=slot_minutes,
            book_ahead_days=book_ahead_days,
            notice_minutes=notice_minutes,
        )

    def set_up(self, line: Line) -> None:
        """Register the actions, what the model is told of the contact, and the calendar feed."""
        line.action(self.schedule_appointment)
        line.action(self.update_appointment)
        line.action(self.cancel_appointment)
        line.action(self.list_appointments)
        line.action(self.appointment_info)
        line.context(self.record)
        line.page(feed.PATH)(feed.answer_feed)

    async def schedule_appointment(self, ctx: ActionContext, service: str, starts_at: datetime, notes: str = "") -> str:
        """Book an appointment for the person we are texting with.

        starts_at is local time of the business. notes is for the staff: only what the person asked to pass on.
        """
        chosen, starts = self.service_named(service), in_utc(ctx, starts_at)
        try:
            return await ctx.db.run(diary.book, ctx, self.timetable, chosen, starts, notes.strip()[:LONGEST_NOTES])
        except diary.NotThen as refusal:
            raise await self.another_time(ctx, refusal, starts) from None

    async def update_appointment(self, ctx: ActionContext, appointment_id: str, starts_at: datetime) -> str:
        """Move an appointment of the person we are texting with to another time.

        appointment_id is such as A1, as list_appointments gives it. starts_at is local time of the business.
        """
        starts = in_utc(ctx, starts_at)
        try:
            return await ctx.db.run(diary.move, ctx, self.timetable, appointment_id, starts)
        except diary.NotThen as refusal:
            raise await self.another_time(ctx, refusal, starts) from None

    async def cancel_appointment(self, ctx: ActionContext, appointment_id: str) -> str:
        """Cancel an appointment of the person we are texting with. appointment_id is such as A1."""
        return await ctx.db.run(diary.cancel, ctx, appointment_id)

    async def list_appointments(self, ctx: ActionContext) -> str:
        """List the upcoming appointments of the person we are texting with, with their ids."""
        theirs = await ctx.db.run(diary.upcoming, ctx)
        if not theirs:
            return "They have no upcoming appointments."
        zone = ZoneInfo(ctx.line.timezone)
        return "\n".join(f"A{each.number}: {each.service} on {said(each.starts_at, zone)}" for each in theirs)

    async def appointment_info(self, ctx: ActionContext, day: date | None = None, service: str = "") -> str:
        """Tell services, prices and opening hours; with a day, also the times that are still free on it.

        Give the service too when the person asks about one of them.
        """
        chosen = [self.service_named(service)] if service else list(self.timetable.services.values())
        told = [described(each) for each in chosen]
        if day is None:
            hours = self.timetable.hours.as_written()
            return "\n".join([*told, "Opening hours: " + ", ".join(f"{d} {h}" for d, h in hours.items()) + "."])
        told.append(f"Opening hours on {day_said(day)}: {self.timetable.hours.on_day(day)}.")
        return "\n".join(told + [await self.free_on(ctx, day, each) for each in chosen])

    async def record(self, request: ContextRequest) -> dict[str, Any]:
        """What the model is told in every turn: what there is, when we are open, and what this person has booked."""
        zone = ZoneInfo(request.line.timezone)
        theirs = await request.db.run(diary.upcoming, request)
        return {
            "services": [
                {"name": each.name, "minutes": each.minutes} | ({"price": each.price} if each.price else {})
                for each in self.timetable.services.values()
            ],
            "opening_hours": self.timetable.hours.as_written(),
            "appointments": [
                {
                    "id": f"A{each.number}",
                    "service": each.service,
                    "starts_at": each.starts_at.astimezone(zone).isoformat(timespec="seconds"),
                }
                for each in theirs[:IN_RECORD]
            ],
        }

    def service_named(self, name: str) -> Service:
        """The service people mean: its name, or words around it such as "yoga class". Raises `AskAgain`."""
        asked, services = name.strip().lower(), self.timetable.services
        if asked in services:
            return services[asked]
        alike = [each for key, each in services.items() if asked and (key in asked or asked in key)]
        if len(alike) == 1:
            return alike[0]
        raise AskAgain(f"There is no service {name!r}; there is {listed(each.name for each in services.values())}.")

    async def another_time(self, ctx: ActionContext, refusal: diary.NotThen, wanted: datetime) -> AskAgain:
        """The refusal, with the nearest times that would do."""
        free = await self.nearest_free(ctx, refusal.taking, wanted)
        zone = ZoneInfo(ctx.line.timezone)
        if not free:
            return AskAgain(f"{refusal} Nothing is free within {DAYS_SEARCHED} days of it.")
        return AskAgain(f"{refusal} The nearest free times: {listed(said(each, zone) for each in free)}.")

    async def nearest_free(self, ctx: ActionContext, taking: Taking, wanted: datetime) -> list[datetime]:
        service, zone = self.timetable.services[taking.service.lower()], ZoneInfo(ctx.line.timezone)
        length = timedelta(minutes=service.minutes)
        free: list[datetime] = []
        middle = min(max(wanted, self.timetable.first(ctx.now)), self.timetable.last(ctx.now))
        window = timedelta(days=DAYS_SEARCHED + 2)
        blocked = await ctx.db.run(unavailable, taking, middle - window, middle + window)
        for starts in self.timetable.starts_around(wanted, DAYS_SEARCHED, service, ctx.now, zone):
            free += [start for start in starts if blocked.isdisjoint(cells_of(start, start + length))]
            if len(free) >= ALTERNATIVES:
                break
        return sorted(sorted(free, key=lambda each: abs(each - wanted))[:ALTERNATIVES])

    async def free_on(self, ctx: ActionContext, day: date, service: Service) -> str:
        free = await ctx.db.run(self.places_on, ctx, day, service)
        if not free:
            return f"{service.name}: no free times on {day_said(day)}."
        return (
            f"{service.name}: free on {day_said(day)} at {spans_said(free, service, self.timetable.slot_minutes, ctx)}."
        )

    def places_on(self, conn: Any, ctx: ActionContext, day: date, service: Service) -> dict[datetime, int]:
        """The free starts of a day that can still be booked, and how many places each has."""
        zone, taking = ZoneInfo(ctx.line.timezone), diary.taking_of(ctx, service, "")
        first, last = self.timetable.first(ctx.now), self.timetable.last(ctx.now)
        starts = [each for each in self.timetable.starts_on(day, service, zone) if first <= each <= last]
        if not starts:
            return {}
        length = timedelta(minutes=service.minutes)
        taken = seats_taken(conn, taking, starts[0], starts[-1] + length)
        places = {
            start: service.capacity - max(taken.get(cell, 0) for cell in cells_of(start, start + length))
            for start in starts
        }
        return {start: left for start, left in places.items() if left > 0}


def in_utc(ctx: ActionContext, starts_at: datetime) -> datetime:
    """The moment meant; a time without an offset is the line's own."""
    local = starts_at if starts_at.tzinfo else starts_at.replace(tzinfo=ZoneInfo(ctx.line.timezone))
    return local.astimezone(UTC)


def described(service: Service) -> str:
    return f"{service.name}: {service.minutes} minutes" + (f", {service.price}." if service.price else ".")


def spans_said(free: Mapping[datetime, int], service: Service, slot_minutes: int, ctx: ActionContext) -> str:
    """`6:00 PM (5 places)` for a class; `9:00 AM to 11:30 AM every 15 minutes` where people begin when they like."""
    zone = ZoneInfo(ctx.line.timezone)
    if service.weekly_starts is not None:
        return ", ".join(
            f"{time_said(at.astimezone(zone))} ({left} of {service.capacity} places)" for at, left in free.items()
        )
    runs: list[list[datetime]] = []
    for start in free:
        if runs and start - runs[-1][-1] == timedelta(minutes=slot_minutes):
            runs[-1].append(start)
        else:
            runs.append([start])
    said_of = [(time_said(run[0].astimezone(zone)), time_said(run[-1].astimezone(zone)), len(run)) for run in runs]
    return ", ".join(a if n == 1 else f"{a} to {b} every {slot_minutes} minutes" for a, b, n in said_of)
