"""Who sits when: seats are taken and let go, and a constraint keeps them from being taken twice."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Insert, bindparam, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from replyline.db import Conn
from replyline.plugins.appointments.tables import cells
from replyline.plugins.appointments.timetable import CELL

# A try fails only because someone else has just got a seat, so "full" comes long before this many.
TRIES = 1000


class Full(Exception):
    """Every seat in one of these cells is taken. An answer, not a fault."""


class Overlaps(Exception):
    """The person already has one of these in one of these cells. An answer, not a fault."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taking:
    """Who takes seats of what."""

    line: str
    resource: str
    capacity: int
    service: str
    contact_id: str
    appointment_id: str  # its own cells are never in its way

    def between(self, first: datetime, last: datetime) -> dict[str, Any]:
        return {
            "line": self.line,
            "resource": self.resource,
            "service": self.service,
            "contact_id": self.contact_id,
            "appointment_id": self.appointment_id,
            "first": first,
            "last": last,
        }


def cells_of(starts: datetime, ends: datetime) -> list[datetime]:
    """The cells an appointment covers, in order."""
    return [starts + CELL * n for n in range((ends - starts) // CELL)]


def take(conn: Conn, taking: Taking, wanted: list[datetime]) -> None:
    """Take a free seat in each of these cells, or none. Raises `Full` or `Overlaps`.

    A person need not keep one seat from cell to cell, so the room is full when it is full and not before.
    """
    for _ in range(TRIES):
        rows = [
            {
                "line": taking.line,
                "resource": taking.resource,
                "cell": cell,
                "seat": seat,
                "appointment_id": taking.appointment_id,
                "contact_id": taking.contact_id,
                "service": taking.service,
            }
            for cell, seat in free_seats(conn, taking, wanted)
        ]
        if went_in(conn, TAKE, rows):
            return
    raise AssertionError(f"No seat of {taking.resource} could be taken, and it is not full.")


def free_seats(conn: Conn, taking: Taking, wanted: list[datetime]) -> list[tuple[datetime, int]]:
    if not wanted:
        return []
    window = taking.between(wanted[0], wanted[-1])
    if not {row.cell for row in conn.execute(OWN_CELLS, window)}.isdisjoint(wanted):
        raise Overlaps
    taken: dict[datetime, set[int]] = defaultdict(set)
    for row in conn.execute(TAKEN_SEATS, window):
        taken[row.cell].add(row.seat)
    # A line may have lowered its capacity since: the people who have a seat keep it, and nobody comes on top.
    if any(len(taken[cell]) >= taking.capacity for cell in wanted):
        raise Full
    return [(cell, next(n for n in range(1, taking.capacity + 1) if n not in taken[cell])) for cell in wanted]


def release(conn: Conn, line: str, resource: str, appointment_id: str, freed: Collection[datetime]) -> None:
    """Let go of an appointment's seats in these cells."""
    if freed:
        place = {"line": line, "resource": resource}
        conn.execute(RELEASE, place | {"appointment_id": appointment_id, "freed": sorted(freed)})


def forget_past(conn: Conn, line: str, resource: str, now: datetime) -> None:
    """Drop the cells of days gone by; the appointments themselves stay."""
    conn.execute(FORGET, {"line": line, "resource": resource, "before": now - timedelta(days=2)})


def unavailable(conn: Conn, taking: Taking, first: datetime, last: datetime) -> set[datetime]:
    """The cells between two moments in which this person cannot have a seat: it is full, or they are there already."""
    window = taking.between(first, last)
    full = {row.cell for row in conn.execute(FULL_CELLS, window | {"capacity": taking.capacity})}
    return full | {row.cell for row in conn.execute(OWN_CELLS, window)}


def seats_taken(conn: Conn, taking: Taking, first: datetime, last: datetime) -> dict[datetime, int]:
    """How many seats are taken in each cell between two moments; a cell nobody sits in is left out."""
    return {row.cell: row.seats for row in conn.execute(SEATS_TAKEN, taking.between(first, last))}


def went_in(conn: Conn, statement: Insert, rows: Any) -> bool:
    """Whether the rows were inserted. On a conflict none of them was, and the transaction goes on."""
    if not rows:
        return True
    try:
        with conn.begin_nested():
            conn.execute(statement, rows)
    except IntegrityError:
        return False
    return True


# In order of time, so that two bookings of overlapping times never wait for each other.
TAKE = insert(cells)

IN_WINDOW = cells.c.cell.between(bindparam("first"), bindparam("last"))
IS_OTHER = cells.c.appointment_id != bindparam("appointment_id")
IS_PLACE = (cells.c.line == bindparam("line")) & (cells.c.resource == bindparam("resource"))

TAKEN_SEATS = select(cells.c.cell, cells.c.seat).where(IS_PLACE, IN_WINDOW, IS_OTHER)
SEATS_TAKEN = (
    select(cells.c.cell, func.count().label("seats")).where(IS_PLACE, IN_WINDOW, IS_OTHER).group_by(cells.c.cell)
)
FULL_CELLS = SEATS_TAKEN.having(func.count() >= bindparam("capacity"))
OWN_CELLS = select(cells.c.cell).where(
    cells.c.line == bindparam("line"),
    cells.c.contact_id == bindparam("contact_id"),
    cells.c.service == bindparam("service"),
    IN_WINDOW,
    IS_OTHER,
)
RELEASE = delete(cells).where(
    IS_PLACE,
    cells.c.cell.in_(bindparam("freed", expanding=True)),
    cells.c.appointment_id == bindparam("appointment_id"),
)
FORGET = delete(cells).where(IS_PLACE, cells.c.cell < bindparam("before"))
