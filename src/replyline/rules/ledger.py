"""The ledger of consent: each event with a hash over the one before it, so that a changed or missing row shows.

A row's hash covers the row, the hash before it, and a salted hash of what could tell who it is about (phone, words, proof).
An erasure takes those and the salt away, and the chain still holds.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from replyline.db import new_id
from replyline.db.both import if_new
from replyline.db.columns import AnyRow, micros
from replyline.db.tables import consent_chains, consent_events

BEGINNING = "0" * 64  # what stands before the first row of a chain


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a person's consent. `proof` is what was shown, where, by whom (compliance.md §7)."""

    line: str
    phone: str
    kind: str
    source: str
    at: datetime
    scope: str | None = None
    tier: str | None = None
    program: str | None = None
    matched_by: str | None = None
    word: str | None = None
    text_id: str | None = None
    proof: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What looking through a line's chain came to."""

    events: int
    head: str  # the hash of the last row: note it elsewhere, and nobody can write the chain anew unseen
    before_the_chain: int  # events from a version that kept none
    erased: int
    wrong: tuple[str, ...]  # a sentence for each thing that is


def append(conn: Connection, event: Event, now: datetime) -> str:
    """Write an event down, in the transaction that causes it; gives its id."""
    position, before = lock_end(conn, event.line)
    row = row_of(event, now) | {"position": position + 1}
    row["hash"] = hash_of(row, before)
    conn.execute(ADD, row)
    conn.execute(MOVE_END, {"of_line": event.line, "to": row["position"], "with_hash": row["hash"]})
    return row["id"]  # type: ignore[no-any-return]


def lock_end(conn: Connection, line: str) -> tuple[int, str]:
    """Position and hash of the last row of a line's chain. Nobody else appends until this transaction ends."""
    end = conn.execute(END, {"of_line": line}).first()
    if end is None:
        BEGIN(conn, {"line": line, "position": 0, "hash": BEGINNING})
        end = conn.execute(END, {"of_line": line}).one()
    return end.position, end.hash


def row_of(event: Event, now: datetime) -> dict[str, Any]:
    salt = secrets.token_hex(16)
    proof = dict(event.proof) or None
    return {
        "id": new_id("cev"),
        "line": event.line,
        "phone": event.phone,
        "kind": event.kind,
        "source": event.source,
        "scope": event.scope,
        "tier": event.tier,
        "program": event.program,
        "matched_by": event.matched_by,
        "word": event.word,
        "text_id": event.text_id,
        "at": event.at,
        "recorded_at": now,
        "proof": proof,
        "salt": salt,
        "content_hash": content_hash(salt, event.phone, event.word, proof),
    }


def content_hash(salt: str, phone: str | None, word: str | None, proof: Mapping[str, Any] | None) -> str:
    return sha256(salt + canonical([phone, word, proof]))


def hash_of(row: Mapping[str, Any], before: str) -> str:
    """A row's place in the chain: all of it that no erasure touches, and the hash before."""
    kept = {name: row[name] for name in KEPT} | {"at": micros(row["at"]), "recorded_at": micros(row["recorded_at"])}
    return sha256(before + canonical(kept))


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def verify(conn: Connection, line: str) -> Verified:
    """Compute a line's chain anew and say what does not fit."""
    rows = conn.execute(CHAIN, {"of_line": line}).all()
    chained = [row for row in rows if row.position is not None]
    end = conn.execute(LAST, {"of_line": line}).first()
    wrong = tuple(faults(chained, end.position if end else 0, end.hash if end else BEGINNING))
    return Verified(
        events=len(chained),
        head=end.hash if end else BEGINNING,
        before_the_chain=len(rows) - len(chained),
        erased=sum(row.salt is None for row in chained),
        wrong=wrong,
    )


def faults(rows: Iterable[AnyRow], last: int, head: str) -> Iterator[str]:
    before, expected = BEGINNING, 1
    for row in rows:
        if row.position != expected:
            missing = f"{expected} is" if row.position == expected + 1 else f"{expected} to {row.position - 1} are"
            yield f"Event {missing} missing."
        values = row._mapping
        if row.position == expected and row.hash != hash_of(dict(values), before):
            yield f"Event {row.position} ({row.id}) was changed, or the one before it was."
        if row.salt is None:
            if row.phone is not None or row.word is not None or row.proof is not None:
                yield f"Event {row.position} ({row.id}) says who it is about, and has no salt to prove it."
        elif row.content_hash != content_hash(row.salt, row.phone, row.word, row.proof):
            yield f"Event {row.position} ({row.id}) had its phone, words or proof changed."
        before, expected = row.hash, row.position + 1
    if expected <= last:
        yield f"The last events are missing: the chain ends at {expected - 1}, and there were {last}."
    elif (expected - 1, before) != (last, head):
        yield f"The chain's end was changed: it ends at {expected - 1} with another hash than was noted."


KEPT = ("id", "line", "position", "kind", "source", "scope", "tier", "program", "matched_by", "text_id", "content_hash")
ADD = insert(consent_events)
END = select(consent_chains).where(consent_chains.c.line == bindparam("of_line")).with_for_update()
BEGIN = if_new(consent_chains)
LAST = select(consent_chains).where(consent_chains.c.line == bindparam("of_line"))
MOVE_END = (
    update(consent_chains)
    .where(consent_chains.c.line == bindparam("of_line"))
    .values(position=bindparam("to"), hash=bindparam("with_hash"))
)
CHAIN = (
    select(consent_events)
    .where(consent_events.c.line == bindparam("of_line"))
    .order_by(consent_events.c.position, consent_events.c.id)
)
