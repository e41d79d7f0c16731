"""INSERT with ON CONFLICT, which SQLAlchemy has once for each engine and not for both."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, Table
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql import Executable

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class OnBoth:
    """A statement made for each engine, once.

    ADD = OnBoth(lambda insert: insert(table).on_conflict_do_nothing())
    """

    def __init__(self, make: Callable[[Any], Executable]) -> None:
        self._made = {"postgresql": make(postgres_insert), "sqlite": make(sqlite_insert)}

    def __call__(self, conn: Connection, values: Values) -> CursorResult[Any]:
        return conn.execute(self._made[conn.dialect.name], values)


def if_new(table: Table, *returning: ColumnElement[Any]) -> OnBoth:
    """Add rows, but for those that are there already."""

    def make(insert: Any) -> Any:
        added = insert(table).on_conflict_do_nothing()
        return added.returning(*returning) if returning else added

    return OnBoth(make)


def or_change(table: Table, key: Sequence[str], *columns: str) -> OnBoth:
    """Add rows, and put these columns in the place of those of the rows that are there already."""

    def make(insert: Any) -> Any:
        added = insert(table)
        return added.on_conflict_do_update(
            index_elements=list(key), set_={name: added.excluded[name] for name in columns}
        )

    return OnBoth(make)
