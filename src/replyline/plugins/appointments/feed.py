"""The feed of appointments, for people's own calendars: whose it is, and its link."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, select
from starlette.requests import Request
from starlette.responses import Response

from replyline.db import Conn
from replyline.plugins.appointments.tables import appointments
from replyline.plugins.hooks import WebContext

PATH = "/appointments/{token}.ics"

# The scope of the feed with everybody's appointments, phone numbers included. A contact's id is never this.
STAFF = "staff"

DAYS_BACK = 92  # how long a calendar that was away may still learn of a change


def feed_path(secret: bytes, line: str, contact_id: str = STAFF) -> str:
    """The feed's path below `/plugins`: the whole line's, or one contact's."""
    return PATH.replace("{token}", f"{contact_id}.{signature(secret, line, contact_id)}")


async def answer_feed(ctx: WebContext, request: Request) -> Response:
    """Answer with the calendar whose link this is. A link that is not signed by us finds nothing."""
    scope, _, signed = request.path_params["token"].partition(".")
    if not hmac.compare_digest(signed.encode(), signature(ctx.secret, ctx.line.key, scope).encode()):
        return Response("There is no such calendar.\n", status_code=404)
    rows = await ctx.db.run(read, ctx.line.key, scope, ctx.clock.now() - timedelta(days=DAYS_BACK))
    headers = {"Cache-Control": "private, max-age=300", "Content-Disposition": 'inline; filename="appointments.ics"'}
    # A year of a busy gym takes a second to write, so others are answered meanwhile.
    written = await asyncio.to_thread(write, rows, ctx.line.name, is_for_staff=scope == STAFF)
    return Response(
        written,
        media_type="text/calendar; charset=utf-8",
        headers=headers,
    )


def write(rows: Sequence[Row[Any]], name: str, *, is_for_staff: bool) -> bytes:
    from replyline.plugins.appointments.calendar import calendar  # takes 0.3 s to import, and many never need it

    return calendar(rows, name, is_for_staff=is_for_staff)


def signature(secret: bytes, line: str, scope: str) -> str:
    digest = hmac.digest(secret, f"appointments-feed\n{line}\n{scope}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:24]).decode()


def read(conn: Conn, line: str, scope: str, since: Any) -> Sequence[Row[Any]]:
    statement = ALL if scope == STAFF else OF_CONTACT
    return conn.execute(
        statement, {"line": line, "since": since} | ({} if scope == STAFF else {"contact_id": scope})
    ).all()


ALL = (
    select(appointments)
    .where(appointments.c.line == bindparam("line"), appointments.c.starts_at > bindparam("since"))
    .order_by(appointments.c.starts_at, appointments.c.id)
)
OF_CONTACT = ALL.where(appointments.c.contact_id == bindparam("contact_id"))
