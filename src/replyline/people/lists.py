"""Lists of consent from elsewhere, and ours for an audit."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from sqlalchemy import Connection, bindparam, select

from replyline.db.tables import consent_events
from replyline.errors import ReplylineError
from replyline.people.export import plain
from replyline.phone_numbers import NotAPhoneNumber, parse_e164
from replyline.plugins.programs import Tier
from replyline.rules import consent
from replyline.rules.consent import OptedOut, OptIn, Whose
from replyline.rules.facts import Purpose, Scope

COLUMNS = ("phone", "event", "scope", "tier", "program", "at", "how")
EVENTS = ("opt_in", "opt_out")


class BadList(ReplylineError):
    """A list cannot be taken in, and in which line why. Nothing of it was."""


def read_list(conn: Connection, line: str, rows: Iterable[Mapping[str, str]], *, by: str, now: datetime) -> int:
    """Take in a list, all of it or nothing; gives how many events it had. Raises `BadList`."""
    count = 0
    for number, row in enumerate(rows, start=2):  # the header is line 1
        try:
            take_in(conn, line, row, by=by, now=now)
        except (ValueError, KeyError, NotAPhoneNumber, OptedOut) as error:
            raise BadList(f"Line {number} of the list cannot be taken in: {error} Nothing of the list was.") from None
        count += 1
    return count


def take_in(conn: Connection, line: str, row: Mapping[str, str], *, by: str, now: datetime) -> None:
    whose = Whose(line=line, phone=parse_e164(row["phone"]))
    event = (row.get("event") or "").strip()
    if event not in EVENTS:
        raise ValueError(f"its event is {event!r}, and has to be opt_in or opt_out.")
    at = moment(row.get("at"), now)
    proof = {"by": by, "how": (row.get("how") or "").strip()}
    if event == "opt_out":
        scope = Scope((row.get("scope") or "all").strip())
        consent.opt_out(conn, whose, now=at, source="import", scope=scope, proof=proof)
        return
    if not proof["how"]:
        raise ValueError("an opt_in needs to say how they agreed, in the column how.")
    given = OptIn(
        purpose=Purpose((row.get("scope") or "").strip()),
        tier=Tier((row.get("tier") or "").strip()),
        program=(row.get("program") or "").strip(),
        source="import",
        proof=proof,
    )
    consent.opt_in(conn, whose, given, now=now, since=at)


def moment(written: str | None, now: datetime) -> datetime:
    if not written or not written.strip():
        return now
    at = datetime.fromisoformat(written.strip())
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    if at > now:
        raise ValueError(f"{written} has not come yet.")
    return at


def ledger_rows(conn: Connection, line: str) -> Iterator[dict[str, Any]]:
    """A line's ledger, in the order of its chain."""
    for row in conn.execute(ALL, {"of_line": line}):
        yield {name: plain(value) for name, value in row._mapping.items()}


def write_csv(rows: Iterable[dict[str, Any]], to: IO[str]) -> None:
    writer = csv.DictWriter(to, fieldnames=[column.name for column in consent_events.columns], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"proof": json.dumps(row["proof"]) if row["proof"] else ""})


def write_json_lines(rows: Iterable[dict[str, Any]], to: IO[str]) -> None:
    for row in rows:
        to.write(json.dumps(row, ensure_ascii=False) + "\n")


ALL = (
    select(consent_events)
    .where(consent_events.c.line == bindparam("of_line"))
    .order_by(consent_events.c.position, consent_events.c.id)
)
