"""The charges: written with what causes them, corrected when Twilio says its price, and summed in the same transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from replyline.costs import budgets, sums
from replyline.costs.charge import (
    TEXTS,
    Carried,
    Charge,
    Kind,
    changes,
    of_failure,
    of_text,
    talk_changes,
)
from replyline.costs.prices import PriceList, Tokens
from replyline.db.columns import AnyRow, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import charge_days, charges, texts


@dataclass(frozen=True, kw_only=True, slots=True)
class Priced:
    """What Twilio says a message costs."""

    text_id: str
    micros: int
    currency: str
    at: datetime | None = None  # when Twilio sent or made it, which decides the day it is billed on


def charge(conn: Connection, new: Iterable[Charge]) -> None:
    """Write charges down and add them to the sums. One that is there already stays as it is, and counts once."""
    rows = {(each.of_id, each.kind): each for each in reversed(list(new))}
    if not rows:
        return
    in_order = [rows[key] for key in sorted(rows)]
    if conn.dialect.name == "postgresql":
        ADD_AND_SUM(conn, [(*row_of(each), each.day) for each in in_order])
        return
    added = [rows[of_id, Kind(kind)] for of_id, kind in ADD(conn, [row_of(each) for each in in_order])]
    sums.append(conn, changes((), added), talk_changes((), added))


def post(conn: Connection, each: Charge) -> None:
    """Write down a charge whose price is known from the start."""
    if ADD(conn, [row_of(each)]):
        sums.append(conn, changes((), [each]), talk_changes((), [each]))


def charge_texts(conn: Connection, text_ids: Sequence[str], prices: PriceList) -> None:
    """Charge texts that turn out to be with Twilio although no answer of its told us so."""
    rows = conn.execute(OF_TEXTS, {"ids": sorted(text_ids)}).all() if text_ids else []
    charge(conn, [of_text(carried(row, at=row.sending_at or row.status_at), prices) for row in rows])
    budgets.follow(conn, text_ids)


def carried(row: AnyRow, *, at: datetime, segments: int | None = None) -> Carried:
    """A row of `texts`, as far as its price goes by it."""
    return Carried(
        id=row.id,
        line=row.line,
        conversation_id=row.conversation_id,
        is_inbound=row.is_inbound,
        phone=row.phone,
        our_address=row.our_address,
        messaging_service_sid=row.messaging_service_sid,
        segments=segments if segments is not None else row.segments,
        has_pictures=bool(row.media),
        purpose=row.purpose,
        program=row.program,
        at=at,
    )


def take_back(conn: Connection, text_ids: Sequence[str]) -> None:
    """Take the charges of texts out again: Twilio never had them, it was another text's message."""
    if text_ids:
        gone = [charge_of(row) for row in conn.execute(TAKE_BACK, {"ids": sorted(text_ids)})]
        sums.append(conn, changes(gone, ()), talk_changes(gone, ()))
        budgets.follow(conn, text_ids)


def fail(conn: Connection, failed: Mapping[str, int | None], prices: PriceList, at: datetime) -> None:
    """Texts that Twilio took and could not send, with their errors: they cost the fee for that instead of their price."""
    before = [each for each in of_texts(conn, sorted(failed)) if each.kind in TEXTS]
    after = [replace(each, price_micros=0, currency=each.estimate_currency, look_at=None) for each in before]
    put(conn, before, after)
    charge(conn, [of_failure(each, failed[each.of_id], prices, at) for each in before])
    budgets.follow(conn, failed)


def set_prices(conn: Connection, priced: Sequence[Priced]) -> int:
    """Put Twilio's prices in the place of our estimates; gives how many charges changed."""
    by_id = {each.text_id: each for each in priced}
    before = [each for each in of_texts(conn, sorted(by_id)) if each.kind in TEXTS]
    after = [with_price(each, by_id[each.of_id]) for each in before]
    return put(conn, before, after)


def with_price(each: Charge, said: Priced) -> Charge:
    return replace(each, price_micros=said.micros, currency=said.currency, at=said.at or each.at, look_at=None)


def put(conn: Connection, before: Sequence[Charge], after: Sequence[Charge]) -> int:
    """Put charges in the place of those that are there; gives how many were not the same."""
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    CHANGE_ROWS(conn, [change_row(new) for _, new in changed])
    old, new = [each for each, _ in changed], [each for _, each in changed]
    sums.append(conn, changes(old, new), talk_changes(old, new))
    budgets.follow(conn, [each.of_id for each in new if each.kind in TEXTS])
    return len(changed)


def of_texts(conn: Connection, text_ids: Sequence[str]) -> list[Charge]:
    """The charges of these, locked until the transaction ends."""
    found: list[Charge] = []
    for start in range(0, len(text_ids), 500):
        rows = conn.execute(OF_THESE, {"ids": list(text_ids[start : start + 500])})
        found += [charge_of(row) for row in rows]
    return found


def row_of(each: Charge) -> tuple[Any, ...]:
    used = each.tokens
    return (
        each.of_id,
        each.kind.value,
        each.line,
        micros(each.at),
        each.conversation_id,
        each.campaign,
        each.country,
        each.sender,
        each.purpose,
        each.model,
        each.units,
        used.input,
        used.cached,
        used.cache_write,
        used.output,
        each.estimate_micros,
        each.carrier_micros,
        each.estimate_currency,
        each.price_micros,
        each.currency,
        None if each.look_at is None else micros(each.look_at),
    )


def change_row(each: Charge) -> tuple[Any, ...]:
    look = None if each.look_at is None else micros(each.look_at)
    return (each.of_id, each.kind.value, micros(each.at), each.price_micros, each.currency, look)


def charge_of(row: AnyRow) -> Charge:
    return Charge(
        of_id=row.of_id,
        kind=Kind(row.kind),
        line=row.line,
        at=row.at,
        conversation_id=row.conversation_id,
        campaign=row.campaign,
        country=row.country,
        sender=row.sender,
        purpose=row.purpose,
        model=row.model,
        units=row.units,
        tokens=Tokens(
            input=row.input_tokens,
            cached=row.cached_tokens,
            cache_write=row.cache_write_tokens,
            output=row.output_tokens,
        ),
        estimate_micros=row.estimate_micros,
        carrier_micros=row.carrier_micros,
        estimate_currency=row.estimate_currency,
        price_micros=row.price_micros,
        currency=row.currency,
        look_at=row.look_at,
    )


_columns = list(charges.c)
_names = ", ".join(column.name for column in _columns)
ADD = SetStatement(
    f"INSERT INTO charges ({_names}) {{rows}} ON CONFLICT DO NOTHING RETURNING of_id, kind",
    _columns,
)
_by = "line, period, kind, country, sender, purpose, campaign, model, estimate_currency"
# What `figures_of` says of a charge without a price, in the same round trip.
ADD_AND_SUM = SetStatement(
    f"""
    WITH new AS ({{rows}}),
    kept AS (INSERT INTO charges ({_names}) SELECT {_names} FROM new ON CONFLICT DO NOTHING RETURNING of_id, kind),
    mine AS (SELECT new.* FROM new JOIN kept ON kept.of_id = new.of_id AND kept.kind = new.kind),
    days AS (
        INSERT INTO charge_days (
            line, period, kind, country, sender, purpose, campaign, model, currency, charges, units, cost_micros,
            estimated_micros, unknown, unpriced, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
            is_folded
        )
        SELECT {_by}, count(*), sum(units), coalesce(sum(estimate_micros), 0), coalesce(sum(estimate_micros), 0),
            count(*) - count(estimate_micros), count(look_at), sum(input_tokens), sum(cached_tokens),
            sum(cache_write_tokens), sum(output_tokens), FALSE
        FROM mine GROUP BY {_by}
    ),
    talks AS (
        INSERT INTO charge_talks (line, period, conversation_id, currency, charges, cost_micros, unknown, is_folded)
        SELECT line, left(period, 7), conversation_id, estimate_currency, count(*),
            coalesce(sum(estimate_micros), 0), count(*) - count(estimate_micros), FALSE
        FROM mine WHERE conversation_id IS NOT NULL
        GROUP BY line, left(period, 7), conversation_id, estimate_currency
    )
    SELECT of_id FROM kept
    """,  # noqa: S608 - names of our own columns
    [*_columns, charge_days.c.period],
)
_changed = [
    charges.c.of_id,
    charges.c.kind,
    charges.c.at,
    charges.c.price_micros,
    charges.c.currency,
    charges.c.look_at,
]
CHANGE_ROWS = SetStatement(
    """
    WITH changed(of_id, kind, at, price_micros, currency, look_at) AS ({rows})
    UPDATE charges SET
        at = changed.at, price_micros = changed.price_micros, currency = changed.currency, look_at = changed.look_at
    FROM changed WHERE charges.of_id = changed.of_id AND charges.kind = changed.kind
    """,
    _changed,
)
_these = charges.c.of_id.in_(bindparam("ids", expanding=True))
OF_THESE = select(charges).where(_these).order_by(charges.c.of_id, charges.c.kind).with_for_update()
TAKE_BACK = delete(charges).where(_these).returning(charges)
OF_TEXTS = select(texts).where(texts.c.id.in_(bindparam("ids", expanding=True)))
