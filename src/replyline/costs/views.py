"""What people look at: sums over charges by day, month, country and whatever else, from the folded rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, select, union_all

from replyline.costs.charge import FIGURES, TEXTS, Figures, Kind
from replyline.costs.sums import is_folded, is_new
from replyline.db.tables import charge_days, charge_talks, conversations, usage_days

BY = ("day", "month", "kind", "country", "sender", "purpose", "campaign", "model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The sums of one group, in one currency."""

    by: tuple[str, ...]
    currency: str
    figures: Figures


def view(conn: Connection, line: str, *, by: Sequence[str], since: date, until: date) -> list[Row]:
    """The sums from one UTC day to another, both included."""
    statement = grouped(by, with_days="day" in by)
    months, days = parts_of(since, until, by_day="day" in by)
    given = {
        "of_line": line,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "months": months,
        "before_since": days[0][0],
        "before_until": days[0][1],
        "after_since": days[1][0],
        "after_until": days[1][1],
    }
    return [as_row(tuple(row), len(by)) for row in conn.execute(statement, given)]


def as_row(row: tuple[Any, ...], count: int) -> Row:
    sums = {name: int(value) for name, value in zip(FIGURES, row[count + 1 :], strict=True)}
    return Row(by=row[:count], currency=row[count], figures=Figures(**sums))


NO_DAYS = ("9999-01-01", "0000-01-01")


def parts_of(since: date, until: date, *, by_day: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """The whole months in between, and the days before and after them."""
    if by_day:
        return [], [(since.isoformat(), until.isoformat()), NO_DAYS]
    first = since if since.day == 1 else next_month(since)
    months, at = [], first
    while next_month(at) - timedelta(days=1) <= until:
        months.append(f"{at:%Y-%m}")
        at = next_month(at)
    if not months:
        return [], [(since.isoformat(), until.isoformat()), NO_DAYS]
    before = (since.isoformat(), (first - timedelta(days=1)).isoformat()) if since < first else NO_DAYS
    after = (at.isoformat(), until.isoformat()) if at <= until else NO_DAYS
    return months, [before, after]


def next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def grouped(by: Sequence[str], *, with_days: bool) -> "Select[tuple[object, ...]]":
    """Sums of the folded rows and of what was appended since, read from one index each."""
    rows = charge_days.c
    of_line = rows.line == bindparam("of_line")
    is_day = func.length(rows.period) == 10
    before = and_(rows.period >= bindparam("before_since"), rows.period <= bindparam("before_until"), is_day)
    after = and_(rows.period >= bindparam("after_since"), rows.period <= bindparam("after_until"), is_day)
    in_months = rows.period.in_(bindparam("months", expanding=True))
    new = and_(is_new(charge_days), rows.period >= bindparam("since"), rows.period <= bindparam("until"))
    source = union_all(
        *(select(charge_days).where(of_line, is_folded(charge_days), each) for each in (in_months, before, after)),
        select(charge_days).where(of_line, new),
    ).subquery()
    columns = [group(source.c, name).label(f"by_{name}") for name in by]
    sums = [func.sum(source.c[name]) for name in FIGURES]
    return (
        select(*columns, source.c.currency, *sums)
        .group_by(*columns, source.c.currency)
        .order_by(*columns, source.c.currency)
    )


def group(columns, name: str):  # type: ignore[no-untyped-def]
    if name == "day":
        return columns.period
    return func.substr(columns.period, 1, 7) if name == "month" else columns[name]


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """What a conversation cost in a month or a year."""

    conversation_id: str
    phone: str
    currency: str
    charges: int
    cost_micros: int
    unknown: int


def dearest_talks(conn: Connection, line: str, period: str, most: int) -> list[Talk]:
    """The conversations that cost most in a month (2026-03) or a year (2026)."""
    given = {"of_line": line, "period": period}
    new = conn.execute(NEW_TALKS, given).scalars().all()
    # One whose folded sum is high may have lost since; behind each such one, one more is looked at.
    ids = set(new) | set(conn.execute(DEAREST, given | {"most": most + len(set(new))}).scalars())
    found = [
        Talk(
            conversation_id=row.conversation_id,
            phone=row.phone or "",
            currency=row.currency,
            charges=int(row.charges),
            cost_micros=int(row.cost_micros),
            unknown=int(row.unknown),
        )
        for row in conn.execute(TALKS, given | {"ids": sorted(ids)})
    ]
    return sorted(found, key=lambda each: (-each.cost_micros, each.conversation_id))[:most]


_talks = charge_talks.c
_of_line = _talks.line == bindparam("of_line")
_is_new = and_(
    is_new(charge_talks), func.substr(_talks.period, 1, func.length(bindparam("period"))) == bindparam("period")
)
_is_folded = and_(is_folded(charge_talks), _talks.period == bindparam("period"))
NEW_TALKS = select(_talks.conversation_id).where(_of_line, _is_new).distinct()
DEAREST = (
    select(_talks.conversation_id)
    .where(_of_line, _is_folded)
    .order_by(_talks.cost_micros.desc())
    .limit(bindparam("most"))
)
_wanted = (_talks.conversation_id.in_(bindparam("ids", expanding=True)), _of_line)
_both = union_all(*(select(charge_talks).where(*_wanted, each) for each in (_is_new, _is_folded))).subquery()
TALKS = (
    select(
        _both.c.conversation_id,
        conversations.c.phone,
        _both.c.currency,
        func.sum(_both.c.charges).label("charges"),
        func.sum(_both.c.cost_micros).label("cost_micros"),
        func.sum(_both.c.unknown).label("unknown"),
    )
    .outerjoin(conversations, conversations.c.id == _both.c.conversation_id)
    .group_by(_both.c.conversation_id, conversations.c.phone, _both.c.currency)
)


def bill_days(conn: Connection, since: date, until: date) -> list[dict[str, Any]]:
    """Twilio's usage records of each day beside what the ledger has for the whole account."""
    given = {"since": since.isoformat(), "until": until.isoformat()}
    days: dict[str, dict[str, Any]] = {}
    for row in conn.execute(USAGE, given):
        day = days.setdefault(row.day, dict.fromkeys(BILL_COLUMNS, 0) | {"day": row.day, "currency": row.currency})
        for column in BILL_OF.get(row.category, ()):
            day[column] += row.price_micros
    for line in conn.execute(LINES).scalars():
        for found in view(conn, line, by=("day", "kind", "purpose"), since=since, until=until):
            name, kind, purpose = found.by
            if name in days and (ours := ours_of(kind, purpose)):
                days[name][ours] += found.figures.cost_micros
    return [
        {"day": day["day"], "currency": day["currency"]} | {n: day[n] for n in BILL_COLUMNS} for day in days.values()
    ]


def ours_of(kind: str, purpose: str) -> str | None:
    if kind in TEXTS:
        return "texts_ours"
    if kind == Kind.FAILED:
        return "failed_ours"
    return "adjusted" if kind == Kind.ADJUSTMENT and purpose != "rent" else None


BILL_COLUMNS = (
    "texts_billed", "carrier_fees_in_it", "failed_billed", "numbers_billed", "texts_ours", "failed_ours", "adjusted"
)  # fmt: skip
BILL_OF = {
    "sms": ("texts_billed",),
    "mms": ("texts_billed",),
    "sms-messages-carrierfees": ("texts_billed", "carrier_fees_in_it"),
    "mms-messages-carrierfees": ("texts_billed", "carrier_fees_in_it"),
    "failed-message-processing-fee": ("failed_billed",),
    "phonenumbers": ("numbers_billed",),
}
USAGE = (
    select(usage_days)
    .where(usage_days.c.day >= bindparam("since"), usage_days.c.day <= bindparam("until"))
    .order_by(usage_days.c.day)
)
LINES = select(charge_days.c.line).distinct()
