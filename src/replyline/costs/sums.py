"""Sums over charges, by day, month and conversation: appended to with what caused a change, and folded now and then.

What is appended and what is folded add up to the same at every moment, so a reader adds both.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

from sqlalchemy import Connection, Table, TextClause, bindparam, delete, select, text

from replyline.costs.charge import FIGURES, DayKey, Figures, TalkKey
from replyline.db.columns import AnyRow
from replyline.db.sets import SetStatement
from replyline.db.tables import charge_days, charge_talks

AT_ONCE = 100  # rows in one transaction, some 35 ms of the one writer that SQLite has: webhooks wait behind it
LOOKED_UP = 500  # keys in one statement
KEYS = ("line", "period", "kind", "country", "sender", "purpose", "campaign", "model", "currency")
TALK_KEYS = ("line", "period", "conversation_id", "currency")
TALK_FIGURES = ("charges", "cost_micros", "unknown")


def append(conn: Connection, days: Mapping[DayKey, Figures], talks: Mapping[TalkKey, Figures]) -> None:
    """Write down what the sums gain, in the transaction of what they gain it by."""
    ADD_DAYS(conn, [(*astuple(key), *astuple(figures), False) for key, figures in sorted_items(days)])
    ADD_TALKS(
        conn,
        [(*key, *(getattr(f, name) for name in TALK_FIGURES), False) for key, f in sorted(talks.items(), key=first)],
    )


def sorted_items(days: Mapping[DayKey, Figures]) -> list[tuple[DayKey, Figures]]:
    return sorted(days.items(), key=lambda item: astuple(item[0]))


def first(item: tuple[Any, Any]) -> Any:
    return item[0]


def fold(conn: Connection) -> bool:
    """Fold what was appended into the rows of its periods. True when there may be more."""
    new_days = take(conn, charge_days)
    new_talks = take(conn, charge_talks)
    fold_days(conn, new_days)
    fold_talks(conn, new_talks)
    return max(len(new_days), len(new_talks)) >= AT_ONCE


def take(conn: Connection, table: Any) -> Sequence[AnyRow]:
    """Some appended rows, which are gone with that."""
    ids = conn.execute(NEW[table.name]).scalars().all()
    found: list[AnyRow] = []
    for start in range(0, len(ids), LOOKED_UP):
        found += conn.execute(TAKE[table.name], {"ids": ids[start : start + LOOKED_UP]}).all()
    return found


def fold_days(conn: Connection, new: Sequence[AnyRow]) -> None:
    found: dict[tuple[str, ...], Figures] = {}
    for row in new:
        for period in (row.period, row.period[:7]):
            key = (row.line, period, *(getattr(row, name) for name in KEYS[2:]))
            found.setdefault(key, Figures()).add(figures_in(row))
        found.setdefault(whole_day(row), Figures()).add(figures_in(row))
    periods = sorted({(key[0], key[1]) for key in found})
    old = [row for line, period in periods for row in conn.execute(DAYS_OF, {"of_line": line, "in_period": period})]
    ids = [row.id for row in old if tuple(getattr(row, name) for name in KEYS) in found]
    for start in range(0, len(ids), LOOKED_UP):
        for row in conn.execute(TAKE["charge_days"], {"ids": ids[start : start + LOOKED_UP]}):
            found[tuple(getattr(row, name) for name in KEYS)].add(figures_in(row))
    ADD_DAYS(conn, [(*key, *astuple(f), True) for key, f in sorted(found.items(), key=first) if not f.is_nothing])


def whole_day(row: AnyRow) -> tuple[str, ...]:
    """A day by kind and currency alone, for who looks at nothing else: its period is written without dashes."""
    return (row.line, row.period.replace("-", ""), row.kind, "", "", "", "", "", row.currency)


def fold_talks(conn: Connection, new: Sequence[AnyRow]) -> None:
    found: dict[tuple[str, ...], Figures] = {}
    for row in new:
        for period in (row.period, row.period[:4]):
            key = (row.line, period, row.conversation_id, row.currency)
            found.setdefault(key, Figures()).add(talk_in(row))
    talks = sorted({key[2] for key in found})
    for start in range(0, len(talks), LOOKED_UP):
        old = conn.execute(TALKS_OF, {"ids": talks[start : start + LOOKED_UP]}).all()
        ids = [row.id for row in old if tuple(getattr(row, name) for name in TALK_KEYS) in found]
        for row in conn.execute(TAKE["charge_talks"], {"ids": ids}) if ids else ():
            found[tuple(getattr(row, name) for name in TALK_KEYS)].add(talk_in(row))
    rows = [(*key, *(getattr(f, name) for name in TALK_FIGURES), True) for key, f in sorted(found.items(), key=first)]
    ADD_TALKS(conn, rows)


def is_folded(table: Table) -> TextClause:
    """Folded rows. In these very words, or SQLite does not find the index that has nothing else."""
    return text(f"{table.name}.is_folded")


def is_new(table: Table) -> TextClause:
    """Appended rows that are not folded yet."""
    return text(f"NOT {table.name}.is_folded")


def figures_in(row: AnyRow) -> Figures:
    return Figures(**{name: getattr(row, name) for name in FIGURES})


def talk_in(row: AnyRow) -> Figures:
    return Figures(**{name: getattr(row, name) for name in TALK_FIGURES})


def summed(rows: Iterable[AnyRow]) -> dict[str, int]:
    total = Figures()
    for row in rows:
        total.add(figures_in(row))
    return asdict(total)


_day_columns = [charge_days.c[name] for name in (*KEYS, *FIGURES, "is_folded")]
_talk_columns = [charge_talks.c[name] for name in (*TALK_KEYS, *TALK_FIGURES, "is_folded")]
ADD_DAYS = SetStatement(f"INSERT INTO charge_days ({', '.join(c.name for c in _day_columns)}) {{rows}}", _day_columns)
ADD_TALKS = SetStatement(
    f"INSERT INTO charge_talks ({', '.join(c.name for c in _talk_columns)}) {{rows}}", _talk_columns
)
_tables = (charge_days, charge_talks)
NEW = {t.name: select(t.c.id).where(is_new(t)).order_by(t.c.id).limit(AT_ONCE) for t in _tables}
TAKE = {t.name: delete(t).where(t.c.id.in_(bindparam("ids", expanding=True))).returning(t) for t in _tables}
DAYS_OF = select(charge_days).where(
    charge_days.c.line == bindparam("of_line"), charge_days.c.period == bindparam("in_period"), is_folded(charge_days)
)
TALKS_OF = select(charge_talks).where(
    charge_talks.c.conversation_id.in_(bindparam("ids", expanding=True)), is_folded(charge_talks)
)
