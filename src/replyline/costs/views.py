"""What people look at: sums over charges by day, month, country and whatever else, from the folded rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, literal_column, select, union_all

from replyline.costs.charge import FIGURES, TEXTS, Figures, Kind, next_month
from replyline.costs.sums import TALK_FIGURES, is_folded, is_new
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
    statement = by_whole_days(by) if "day" in by and set(by) <= {"day", "month", "kind"} else grouped(by)
    months, days = parts_of(since, until, by_day="day" in by)
    given = {
        "of_line": line,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "first": f"{since:%Y%m%d}",
        "last": f"{until:%Y%m%d}",
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


def grouped(by: Sequence[str]) -> "Select[tuple[object, ...]]":
    """Sums of the folded rows and of what was appended since, read from one index each."""
    rows = charge_days.c
    is_day = func.length(rows.period) == 10
    before = and_(rows.period >= bindparam("before_since"), rows.period <= bindparam("before_until"), is_day)
    after = and_(rows.period >= bindparam("after_since"), rows.period <= bindparam("after_until"), is_day)
    in_months = rows.period.in_(bindparam("months", expanding=True))
    new = and_(is_new(charge_days), rows.period >= bindparam("since"), rows.period <= bindparam("until"))
    folded = is_folded(charge_days)
    return together(by, [(folded, in_months), (folded, before), (folded, after), (new,)], rows.period)


def by_whole_days(by: Sequence[str]) -> "Select[tuple[object, ...]]":
    """The same by day and kind alone, from the rows that have no more than that."""
    rows = charge_days.c
    days = and_(rows.period >= bindparam("first"), rows.period <= bindparam("last"), func.length(rows.period) == 8)
    new = and_(is_new(charge_days), rows.period >= bindparam("since"), rows.period <= bindparam("until"))
    year, month, day = (func.substr(func.replace(rows.period, "-", ""), *part) for part in ((1, 4), (5, 2), (7, 2)))
    return together(by, [(is_folded(charge_days), days), (new,)], year + "-" + month + "-" + day)


def together(by: Sequence[str], parts_by: Sequence[tuple[Any, ...]], period: Any) -> "Select[tuple[object, ...]]":
    rows = charge_days.c
    # Each part is summed by itself, along its index; together they are few rows.
    parts = [
        select(*[group(rows, name, period).label(f"by_{name}") for name in by], rows.currency, *sums_of(rows))
        .where(rows.line == bindparam("of_line"), *conditions)
        .group_by(*[literal_column(f"by_{name}") for name in by], rows.currency)
        for conditions in parts_by
    ]
    source = union_all(*parts).subquery().c
    columns = [*(source[f"by_{name}"] for name in by), source.currency]
    return select(*columns, *sums_of(source)).group_by(*columns).order_by(*columns)


def sums_of(columns: Any) -> list[Any]:
    return [func.sum(columns[name]).label(name) for name in FIGURES]


def group(columns: Any, name: str, period: Any) -> Any:
    if name == "day":
        return period
    return func.substr(period, 1, 7) if name == "month" else columns[name]


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
    new = conn.execute(NEW_TALKS, given).all()
    # One whose folded sum is high may have lost since; behind each such one, one more is looked at.
    losing, gained = sum(row.cost_micros < 0 for row in new), max((row.cost_micros for row in new), default=0)
    top = conn.execute(DEAREST, given | {"most": most + losing}).all()
    known = {row.id: row for row in top}
    if new and len(top) == most + losing:  # and what has come close to the last of these may have passed it since
        near = given | {"least": top[-1].cost_micros - max(int(gained), 0)}
        known |= {row.id: row for row in conn.execute(NEAR, near)}
    first = ranked([*new, *known.values()])[:most]
    folded = {row.conversation_id for row in known.values()}
    if rest := sorted({key[0] for key, _ in first} - folded):
        known |= {row.id: row for row in conn.execute(FOLDED_TALKS, {"period": period, "ids": rest})}
        first = ranked([*new, *known.values()])[:most]
    phones = {row.id: row.phone for row in conn.execute(PHONES, {"ids": [key[0] for key, _ in first]})}
    return [
        Talk(
            conversation_id=conversation_id,
            phone=phones.get(conversation_id, ""),
            currency=currency,
            charges=charges,
            cost_micros=cost,
            unknown=unknown,
        )
        for (conversation_id, currency), (charges, cost, unknown) in first
    ]


def ranked(rows: Sequence[Any]) -> list[tuple[tuple[str, str], list[int]]]:
    """The rows summed by conversation and currency, the dearest first."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        total = sums.setdefault((row.conversation_id, row.currency), [0, 0, 0])
        for n, value in enumerate((row.charges, row.cost_micros, row.unknown)):
            total[n] += int(value)
    return sorted(sums.items(), key=lambda item: (-item[1][1], item[0]))


_talks = charge_talks.c
_of_line = _talks.line == bindparam("of_line")
_is_new = and_(
    is_new(charge_talks), func.substr(_talks.period, 1, func.length(bindparam("period"))) == bindparam("period")
)
_is_folded = and_(is_folded(charge_talks), _talks.period == bindparam("period"))
_talk = (_talks.conversation_id, _talks.currency)
NEW_TALKS = (
    select(*_talk, *(func.sum(_talks[name]).label(name) for name in TALK_FIGURES))
    .where(_of_line, _is_new)
    .group_by(*_talk)
)
_row = (_talks.id, *_talk, *(_talks[name] for name in TALK_FIGURES))
DEAREST = select(*_row).where(_of_line, _is_folded).order_by(_talks.cost_micros.desc()).limit(bindparam("most"))
NEAR = select(*_row).where(_of_line, _is_folded, _talks.cost_micros >= bindparam("least"))
# Not by line too: SQLite would take the index of the dearest and read all of the period.
FOLDED_TALKS = select(*_row).where(_talks.conversation_id.in_(bindparam("ids", expanding=True)), _is_folded)
PHONES = select(conversations.c.id, conversations.c.phone).where(
    conversations.c.id.in_(bindparam("ids", expanding=True))
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
