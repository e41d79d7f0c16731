"""What the business does on the phone page: sign a person up, send them an offer, and look at what is kept of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, update
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from replyline.clock import Clock
from replyline.db import Db
from replyline.db.tables import contacts
from replyline.outbound.say import say_first
from replyline.people.export import consent_of, export, plain
from replyline.people.sign_up import SignUp, sign_up
from replyline.plugins.line import Line
from replyline.plugins.programs import Tier
from replyline.plugins.senders import Sender
from replyline.rules import ledger
from replyline.rules.consent import Whose
from replyline.rules.facts import Purpose
from replyline.simulator.handsets import Handsets

OFFER = "This week only: bring a friend to any class, and they train for free."
DISCLOSURE = (
    "I agree to get offers by text from {name}. Msg frequency varies. Msg & data rates may apply. "
    "Reply HELP for help, STOP to opt out. Not a condition of purchase."
)
ASLEEP = "+19175550142"  # somebody from New York who has told the business where they are now:
TRAVELS_TO = ("America/New_York", "Pacific/Honolulu", "Europe/Berlin", "Asia/Tokyo")
NIGHT = frozenset({21, 22, 23, 0, 1, 2, 3, 4, 5, 6})  # hours in which nobody may be advertised to
SHOWN = ("at", "kind", "source", "scope", "tier", "program", "matched_by", "word", "text_id")


class Business:
    """The other side of the phone, for the phone page."""

    def __init__(
        self, *, line: Line, senders: Sequence[Sender], db: Db, clock: Clock, handsets: Handsets, secret: bytes
    ) -> None:
        self._line, self._senders, self._db, self._clock = line, senders, db, clock
        self._handsets, self._secret = handsets, secret

    async def sign_up(self, number: str) -> dict[str, Any]:
        """As the business's web form would."""
        signed_up = await self._db.run(sign_up, self._line, self._senders, self._form(number), self._clock.now())
        return {"event": signed_up.event_id}

    async def offer(self, number: str) -> dict[str, Any]:
        """Advertise to a phone. The gate judges it like any other text, so it may be refused, or wait."""
        text_id = await self._db.run(self._say, number, self._clock.now())
        return {"text": text_id}

    async def offer_at_night(self) -> dict[str, Any]:
        """The same to somebody for whom it is night now, and who has signed up."""
        now = self._clock.now()
        zone = where_it_is_night(now)
        self._handsets.add(ASLEEP)
        await self._db.run(self._offer_to_sleeper, zone, now)
        return {"number": ASLEEP, "zone": zone, "time": f"{now.astimezone(ZoneInfo(zone)):%H:%M}"}

    async def ledger(self, request: Request) -> Response:
        """What a person agreed to and took back, and whether the chain holds."""
        number = request.path_params["number"]
        events, held = await self._db.run(consent_of, self._line.key, number)
        verified = await self._db.run(ledger.verify, self._line.key)
        rows = [{name: plain(getattr(row, name)) for name in SHOWN if getattr(row, name) is not None} for row in events]
        kept = {
            "events": rows,
            "opted_out_of": held.scope if held else None,
            "chain": {"events": verified.events, "head": verified.head, "wrong": list(verified.wrong)},
        }
        return JSONResponse(kept, headers={"Cache-Control": "no-store"})

    async def export(self, request: Request) -> Response:
        """Everything that is kept of a person, as a file."""
        number = request.path_params["number"]
        whose = Whose(line=self._line.key, phone=number)
        found = await self._db.run(export, whose, secret=self._secret, by="phone page", now=self._clock.now())
        name = f"{self._line.key}-{number.removeprefix('+')}.json"
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
        return JSONResponse(found, headers=headers)

    def _form(self, number: str) -> SignUp:
        return SignUp(
            phone=number,
            purpose=Purpose.MARKETING,
            tier=Tier.EXPRESS_WRITTEN,
            source="web_form",
            proof={
                "disclosure": DISCLOSURE.format(name=self._line.name),
                "page_url": "the phone page",
                "action": "a click",
            },
        )

    def _say(self, conn: Connection, number: str, now: datetime) -> str:
        return say_first(
            conn,
            senders=self._senders,
            line=self._line.key,
            phone=number,
            body=OFFER,
            purpose=Purpose.MARKETING,
            now=now,
        )

    def _offer_to_sleeper(self, conn: Connection, zone: str, now: datetime) -> None:
        sign_up(conn, self._line, self._senders, self._form(ASLEEP), now)
        conn.execute(MOVE_TO, {"of_line": self._line.key, "of_phone": ASLEEP, "to": zone})
        self._say(conn, ASLEEP, now)


def where_it_is_night(now: datetime) -> str:
    """One of the places, where it is night; there always is one."""
    return next(zone for zone in TRAVELS_TO if now.astimezone(ZoneInfo(zone)).hour in NIGHT)


MOVE_TO = (
    update(contacts)
    .where(contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone"))
    .values(zone=bindparam("to"))
)
