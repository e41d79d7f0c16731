"""Bringing a database's tables up to what this version of Replyline and its plugins know."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, Transaction, inspect
from sqlalchemy.exc import DBAPIError

from replyline.db.database import backend_of
from replyline.db.errors import DatabaseDown, SchemaTooNew, SchemaTooOld, plain
from replyline.db.sqlite import file_of, raw, sqlite_engine

# Any fixed number will do: it is what processes that start together queue for on PostgreSQL.
LOCK = 7_370_421_001
COMMAND = "`replyline migrate MODULE:NAME` with your line"


@dataclass(frozen=True, kw_only=True, slots=True)
class Migrations:
    """A folder of Alembic revisions named `0001_words.py`, `0002_words.py`, and so on, each after the one before."""

    name: str  # of the plugin; its version table is `alembic_version_<name>`
    folder: Path

    @property
    def version_table(self) -> str:
        return f"alembic_version_{self.name}" if self.name else "alembic_version"

    @property
    def newest(self) -> str:
        """The newest revision in the folder. Its file's name tells, so that a start need not import Alembic."""
        return max(path.name.partition("_")[0] for path in self.folder.glob("[0-9]*_*.py"))


HERE = Path(__file__).parent / "migrations"
OURS = Migrations(name="", folder=HERE / "versions")


def migrate(url: str, *, extra: Sequence[Migrations] = ()) -> None:
    """Bring the tables up to date, ours and those of plugins. Safe when several processes start at once."""
    with one_at_a_time(url) as conn:
        for migrations in (OURS, *extra):
            found = found_in(conn, migrations)
            refuse_newer(migrations, found)
            if found != migrations.newest:
                upgrade(conn, migrations)


def check(url: str, *, extra: Sequence[Migrations] = ()) -> None:
    """See that the tables are exactly what this version knows. Raises `SchemaTooNew` or `SchemaTooOld`."""
    if backend_of(url) == "sqlite" and not file_of(url).exists():
        raise SchemaTooOld(f"There is no database yet; run {COMMAND}.")
    with one_at_a_time(url) as conn:
        for migrations in (OURS, *extra):
            found = found_in(conn, migrations)
            refuse_newer(migrations, found)
            if found is None:
                raise SchemaTooOld(f"The database has no tables{of(migrations)} yet; run {COMMAND}.")
            if found != migrations.newest:
                raise SchemaTooOld(
                    f"The database{of(migrations)} is at schema {found}, and this version needs {migrations.newest}; "
                    f"run {COMMAND}."
                )


@contextmanager
def one_at_a_time(url: str) -> Iterator[Connection]:
    """One transaction that every other process that wants to migrate waits for."""
    is_sqlite = backend_of(url) == "sqlite"
    with connected(engine_of(url)) as conn:
        if is_sqlite:
            # A table that is changed by copying must not take the rows that point at it along.
            raw(conn).execute("PRAGMA foreign_keys=OFF")
        with begun(conn):
            if not is_sqlite:
                conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            yield conn


def engine_of(url: str) -> Engine:
    if backend_of(url) == "sqlite":
        return sqlite_engine(url)
    from replyline.db.postgres import postgres_engine  # its driver takes a while to load

    return postgres_engine(url)


def connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except DBAPIError as error:
        raise DatabaseDown(f"The database cannot be opened: {plain(error)}") from error


def begun(conn: Connection) -> Transaction:
    try:
        return conn.begin()
    except DBAPIError as error:
        raise DatabaseDown(f"The database is in use by another process: {plain(error)}") from error


def found_in(conn: Connection, migrations: Migrations) -> str | None:
    """The revision this database is at."""
    if not inspect(conn).has_table(migrations.version_table):
        return None
    found: str | None = conn.exec_driver_sql(f"SELECT version_num FROM {migrations.version_table}").scalar()  # noqa: S608
    return found


def refuse_newer(migrations: Migrations, found: str | None) -> None:
    if found is not None and found > migrations.newest:
        maker = f"version of the plugin {migrations.name}" if migrations.name else "Replyline"
        raise SchemaTooNew(
            f"This database was made by a newer {maker} (schema {found}, this one knows "
            f"{migrations.newest}); install that version or newer."
        )


def of(migrations: Migrations) -> str:
    return f" of the plugin {migrations.name}" if migrations.name else ""


def upgrade(conn: Connection, migrations: Migrations) -> None:
    from alembic import command  # takes 0.4 s, and most starts need none of it
    from alembic.config import Config

    config = Config(attributes={"connection": conn, "version_table": migrations.version_table})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("version_locations", str(migrations.folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    command.upgrade(config, "head")
    if conn.dialect.name == "sqlite" and conn.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise AssertionError("The migration has left rows that point at nothing; it was undone.")
