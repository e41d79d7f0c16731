"""One statement for a whole set of rows: the few that every text passes through are written this way.

SQLAlchemy's own way costs 10 to 20 µs for each row it binds, and a statement that grows with the set is planned anew
for each size. Here PostgreSQL gets the set as one JSON parameter, and SQLite as VALUES in sizes it has seen before.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Connection, and_, bindparam, tuple_
from sqlalchemy.dialects import postgresql

from replyline.db.sqlite import raw

# Rows in one statement on SQLite: at most this many of its 32,766 parameters, and by eights beyond seven.
LARGEST, STEP = 128, 8
as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class SetStatement:
    """SQL for both engines in which `{rows}` stands for the set, wherever VALUES may stand.

    A row is a tuple in the order of the columns, with times as whole microseconds and JSON as Python values.
    Further values follow the set, in the SQL (each as `{value}`) and in the call. `on_sqlite` is for SQL that SQLite
    has other words for.
    """

    def __init__(self, sql: str, columns: Sequence[Column[Any]], *, on_sqlite: str | None = None) -> None:
        self._on_sqlite = on_sqlite or sql
        self._names = [column.name for column in columns]
        self.columns = tuple(columns)
        self._json = [n for n, column in enumerate(columns) if isinstance(column.type, JSON)]
        self._postgres = sql.format(rows=rows_from_json(columns), value="%s")

    def __call__(self, conn: Connection, rows: Sequence[tuple[Any, ...]], *more: Any) -> list[tuple[Any, ...]]:
        """Run it; gives the rows it returns, if it returns any. No set, no statement."""
        if not rows:
            return []
        if conn.dialect.name == "postgresql":
            named = [dict(zip(self._names, row, strict=True)) for row in rows]
            result = conn.exec_driver_sql(self._postgres, (as_json(named), *more))
            return [tuple(row) for row in result] if result.returns_rows else []
        if self._json:
            rows = [self._with_json_as_text(row) for row in rows]
        found: list[tuple[Any, ...]] = []
        driver = raw(conn)
        for part in in_parts(rows):
            found += driver.execute(self._sqlite(len(part)), (*chain.from_iterable(part), *more)).fetchall()
        return found

    def _with_json_as_text(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for n in self._json:
            if values[n] is not None:
                values[n] = json.dumps(values[n])
        return tuple(values)

    @cache  # noqa: B019 - there are a handful of statements, made at import
    def _sqlite(self, how_many: int) -> str:
        row = f"({','.join('?' * len(self._names))})"
        return self._on_sqlite.format(rows=f"VALUES {','.join([row] * how_many)}", value="?")


def among(name: str, *columns: Column[Any]) -> ColumnElement[bool]:
    """A condition: these columns together are one of the tuples that `tuples` gives under the same name.

    SQLite looks for a tuple by reading the whole table, so each column is looked for by itself too.
    """
    each = [column.in_(bindparam(f"{name}_{n}", expanding=True)) for n, column in enumerate(columns)]
    return and_(*each, tuple_(*columns).in_(bindparam(name, expanding=True)))


def tuples(name: str, rows: Sequence[tuple[Any, ...]]) -> dict[str, Sequence[Any]]:
    """The parameters of an `among` of the same name."""
    each = {f"{name}_{n}": list(dict.fromkeys(values)) for n, values in enumerate(zip(*rows, strict=True))}
    return {name: rows, **each}


def in_parts(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Parts of few different sizes, so that SQLite meets the same SQL again and keeps it prepared."""
    start = 0
    while left := len(rows) - start:
        size = left if left < STEP else min(left // STEP * STEP, LARGEST)
        yield rows[start : start + size]
        start += size


def rows_from_json(columns: Sequence[Column[Any]]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    typed = ", ".join(f"{column.name} {column.type.compile(dialect=dialect)}" for column in columns)
    return f"SELECT * FROM json_to_recordset(%s::json) AS _({typed})"  # noqa: S608 - names of our own columns
