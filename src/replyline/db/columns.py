"""Column types that mean the same on both engines."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Row, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

Json = JSON().with_variant(JSONB(), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970.

    One integer compares, adds and sorts alike on SQLite and PostgreSQL, where their own timestamps do not.
    In psql: `to_timestamp(due / 1e6)`; in sqlite3: `datetime(due / 1e6, 'unixepoch')`.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be stored; use an aware datetime.")
    return round(moment.timestamp() * 1_000_000)


def from_micros(stored: int) -> datetime:
    """The aware datetime behind `micros`."""
    return datetime.fromtimestamp(stored / 1_000_000, UTC)


# A row whose columns the reader knows and the type checker need not.
AnyRow = Row[*tuple[Any, ...]]
