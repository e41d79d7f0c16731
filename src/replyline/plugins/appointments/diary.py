"""Booking, moving and cancelling: each in one transaction, once for each `ctx.once`."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, bindparam, func, insert, select, update

from replyline.db import CHANGE, Conn, new_id, wake
from replyline.plugins.appointments.seats import (
    Full,
    Overlaps,
    Taking,
    cells_of,
    forget_past,
    release,
    take,
    went_in,
)
from replyline.plugins.appointments.service import Service
from replyline.plugins.appointments.tables import appointments, calls
from replyline.plugins.appointments.timetable import Timetable
from replyline.plugins.appointments.wording import said
from replyline.plugins.context import ActionContext, ContextRequest
from replyline.plugins.endings import AskAgain, GiveUp

Appointment = Row[Any]

BOOKED, CANCELLED = "booked", "cancelled"


class NotThen(Exception):
    """The service cannot be had at that time; another time may do. An answer, not a fault."""

    def __init__(self, why: str, taking: Taking) -> None:
        super().__init__(why)
        self.taking = taking


def once(conn: Conn, ctx: ActionContext, change: Callable[[], str]) -> str:
    """Make a change and keep its answer, in one transaction; a second call gets the answer and changes nothing."""
    key = {"line": ctx.line.key, "once": ctx.once}
    if not went_in(conn, BEGIN_CALL, [key | {"at": ctx.now}]):
        given: str = conn.execute(ANSWER_GIVEN, key).scalar_one()
        return given
    answer = change()
    conn.execute(END_CALL, {"line_": ctx.line.key, "once_": ctx.once, "answer": answer})
    wake(conn, CHANGE)
    return answer


def book(conn: Conn, ctx: ActionContext, timetable: Timetable, service: Service, starts: datetime, notes: str) -> str:
    """Book a service for the contact. Raises `NotThen` and books nothing when it cannot begin then."""
    return once(conn, ctx, lambda: add(conn, ctx, timetable, service, starts, notes))


def add(conn: Conn, ctx: ActionContext, timetable: Timetable, service: Service, starts: datetime, notes: str) -> str:
    taking = taking_of(ctx, service, new_id("apt"))
    object_to(timetable, taking, service, starts, ctx)
    forget_past(conn, taking.line, taking.resource, ctx.now)
    ends = starts + timedelta(minutes=service.minutes)
    row = {
        "id": taking.appointment_id,
        "line": taking.line,
        "contact_id": taking.contact_id,
        "service": service.name,
        "resource": service.resource,
        "starts_at": starts,
        "ends_at": ends,
        "state": BOOKED,
        "notes": notes,
        "phone": ctx.contact.phone,
        "name": ctx.contact.name,
        "created_at": ctx.now,
        "changed_at": ctx.now,
    }
    number = next_number(conn, taking)
    while not went_in(conn, ADD, [row | {"number": number}]):  # another conversation of theirs booked meanwhile
        number = next_number(conn, taking)
    sit(conn, ctx, taking, cells_of(starts, ends), starts)
    return f"Booked: {service.name} on {said(starts, zone_of(ctx))}, id A{number}."


def move(conn: Conn, ctx: ActionContext, timetable: Timetable, appointment_id: str, starts: datetime) -> str:
    """Move an appointment of the contact. Raises `NotThen` and leaves it where it is when it cannot begin then."""
    return once(conn, ctx, lambda: change_start(conn, ctx, timetable, appointment_id, starts))


def change_start(conn: Conn, ctx: ActionContext, timetable: Timetable, appointment_id: str, starts: datetime) -> str:
    appointment = find_theirs(conn, ctx, appointment_id)
    must_be_upcoming(appointment, ctx)
    service = timetable.services.get(appointment.service.lower())
    if service is None:
        raise GiveUp(f"We no longer offer {appointment.service}, so it cannot be moved; it can be cancelled.")
    if appointment.starts_at == starts:
        return f"{label(appointment)} is already on {said(starts, zone_of(ctx))}; nothing was changed."
    taking = taking_of(ctx, service, appointment.id)
    object_to(timetable, taking, service, starts, ctx)
    ends = starts + timedelta(minutes=service.minutes)
    has = cells_of(appointment.starts_at, appointment.ends_at)
    if appointment.resource != service.resource:  # the line file says now that it happens elsewhere
        release(conn, taking.line, appointment.resource, appointment.id, has)
        has = []
    # What it has already, it keeps: first the new cells, then the old ones are let go, so two people who move
    # towards each other never wait for each other.
    wanted = cells_of(starts, ends)
    sit(conn, ctx, taking, [cell for cell in wanted if cell not in has], starts)
    release(conn, taking.line, service.resource, appointment.id, set(has) - set(wanted))
    conn.execute(
        MOVE,
        {
            "id_": appointment.id,
            "resource": service.resource,
            "starts_at": starts,
            "ends_at": ends,
            "changed_at": ctx.now,
        },
    )
    zone = zone_of(ctx)
    return f"Moved: {label(appointment)} from {said(appointment.starts_at, zone)} to {said(starts, zone)}."


def cancel(conn: Conn, ctx: ActionContext, appointment_id: str) -> str:
    """Cancel an appointment of the contact and let its seats go."""
    return once(conn, ctx, lambda: call_off(conn, ctx, appointment_id))


def call_off(conn: Conn, ctx: ActionContext, appointment_id: str) -> str:
    appointment = find_theirs(conn, ctx, appointment_id)
    if appointment.state == CANCELLED:
        return f"{label(appointment)} was cancelled before; nothing was changed."
    must_be_upcoming(appointment, ctx)
    has = cells_of(appointment.starts_at, appointment.ends_at)
    release(conn, appointment.line, appointment.resource, appointment.id, has)
    conn.execute(CANCEL, {"id_": appointment.id, "changed_at": ctx.now})
    return f"Cancelled: {label(appointment)} on {said(appointment.starts_at, zone_of(ctx))}."


def upcoming(conn: Conn, ctx: ContextRequest) -> Sequence[Appointment]:
    """The contact's appointments that have not ended, the next one first."""
    return conn.execute(UPCOMING, {"line": ctx.line.key, "contact_id": ctx.contact.id, "now": ctx.now}).all()


def find_theirs(conn: Conn, ctx: ContextRequest, appointment_id: str) -> Appointment:
    """An appointment of this contact, locked, by the id they read. Nobody else's is ever found."""
    match = re.fullmatch(r"#?\s*[aA]?\s*(\d{1,9})", appointment_id.strip())
    whose = {"line": ctx.line.key, "contact_id": ctx.contact.id}
    found = conn.execute(THEIRS, whose | {"number": int(match[1])}).first() if match else None
    if found is not None:
        return found
    zone = zone_of(ctx)
    theirs = "; ".join(f"{label(each)} on {said(each.starts_at, zone)}" for each in upcoming(conn, ctx))
    raise AskAgain(
        f"They have no appointment {appointment_id!r}. Theirs are: {theirs}."
        if theirs
        else "They have no appointments."
    )


def must_be_upcoming(appointment: Appointment, ctx: ContextRequest) -> None:
    if appointment.state == CANCELLED:
        raise AskAgain(f"{label(appointment)} was cancelled; book a new one instead.")
    if appointment.starts_at <= ctx.now:
        raise GiveUp(f"{label(appointment)} has begun already, so it cannot be changed.")


def object_to(timetable: Timetable, taking: Taking, service: Service, starts: datetime, ctx: ActionContext) -> None:
    why = timetable.objection(service, starts, ctx.now, zone_of(ctx))
    if why is not None:
        raise NotThen(why, taking)


def sit(conn: Conn, ctx: ActionContext, taking: Taking, wanted: list[datetime], starts: datetime) -> None:
    try:
        take(conn, taking, wanted)
    except Full:
        raise NotThen(f"{taking.service} is full on {said(starts, zone_of(ctx))}.", taking) from None
    except Overlaps:
        theirs = "; ".join(
            f"{label(each)} on {said(each.starts_at, zone_of(ctx))}"
            for each in upcoming(conn, ctx)
            if each.service == taking.service
            and each.id != taking.appointment_id
            and each.starts_at <= wanted[-1]
            and each.ends_at > wanted[0]
        )
        raise AskAgain(f"They already have {taking.service} at that time: {theirs}. Move that one instead.") from None


def taking_of(ctx: ActionContext, service: Service, appointment_id: str) -> Taking:
    return Taking(
        line=ctx.line.key,
        resource=service.resource,
        capacity=service.capacity,
        service=service.name,
        contact_id=ctx.contact.id,
        appointment_id=appointment_id,
    )


def next_number(conn: Conn, taking: Taking) -> int:
    number: int = conn.execute(NEXT_NUMBER, {"line": taking.line, "contact_id": taking.contact_id}).scalar_one()
    return number


def label(appointment: Appointment) -> str:
    return f"{appointment.service} A{appointment.number}"


def zone_of(ctx: ContextRequest) -> ZoneInfo:
    return ZoneInfo(ctx.line.timezone)


IS_THEIRS = (appointments.c.line == bindparam("line")) & (appointments.c.contact_id == bindparam("contact_id"))

BEGIN_CALL = insert(calls).values(answer="")
END_CALL = update(calls).where(calls.c.line == bindparam("line_"), calls.c.once == bindparam("once_"))
ANSWER_GIVEN = select(calls.c.answer).where(calls.c.line == bindparam("line"), calls.c.once == bindparam("once"))

ADD = insert(appointments)
NEXT_NUMBER = select(func.coalesce(func.max(appointments.c.number), 0) + 1).where(IS_THEIRS)
MOVE = update(appointments).where(appointments.c.id == bindparam("id_")).values(sequence=appointments.c.sequence + 1)
CANCEL = MOVE.values(state=CANCELLED)
UPCOMING = (
    select(appointments)
    .where(IS_THEIRS, appointments.c.state == BOOKED, appointments.c.ends_at > bindparam("now"))
    .order_by(appointments.c.starts_at, appointments.c.number)
)
# Locked, so that a move and a cancellation of the same appointment take their turns.
THEIRS = select(appointments).where(IS_THEIRS, appointments.c.number == bindparam("number")).with_for_update()
