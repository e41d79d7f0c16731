"""Bringing the tables up to date, and refusing what we do not know."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from replyline.db import DatabaseDown, SchemaTooNew, SchemaTooOld, open_db
from replyline.db.migrate import OURS, Migrations, check, migrate
from replyline.db.tables import metadata
from tests.support.databases import empty_postgres_database, need_postgres, only_on_sqlite

PLUGIN = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before}
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer(), primary_key=True))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/replyline.db"
        return
    need_postgres()
    with empty_postgres_database() as url:
        yield url


@pytest.fixture
def plugin(tmp_path):
    folder = tmp_path / "versions"
    folder.mkdir()
    add_revision(folder, "0001", "None", "seats")
    return Migrations(name="cinema", folder=folder)


def add_revision(folder: Path, revision: str, before: str, table: str) -> None:
    (folder / f"{revision}_more.py").write_text(PLUGIN.format(revision=revision, before=before, table=table))


def on(url, look, *args):
    db = open_db(url)
    try:
        return db.run_blocking(look, *args)
    finally:
        db.close_blocking()


def tables(conn: Connection) -> set[str]:
    return set(inspect(conn).get_table_names())


def execute(conn: Connection, sql: str) -> None:
    conn.exec_driver_sql(sql)


def test_a_new_database_gets_every_table(empty_url):
    migrate(empty_url)
    assert on(empty_url, tables) == {*metadata.tables, "alembic_version"}
    check(empty_url)


def test_the_migrations_lead_to_exactly_the_tables_the_code_knows(database_url):
    """When this fails after a change of tables.py: run tools/remake_first_migration.py (before the first release)."""

    def differences(conn: Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={"compare_server_default": conn.dialect.name == "postgresql"})
        return compare_metadata(context, metadata)

    assert on(database_url, differences) == []


def test_migrating_twice_changes_nothing(database_url):
    on(database_url, execute, "INSERT INTO contacts (id, line, phone, created_at) VALUES ('ana', 'gym', '+1', 0)")
    migrate(database_url)
    assert on(database_url, lambda conn: conn.exec_driver_sql("SELECT id FROM contacts").scalar()) == "ana"


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url):
    on(database_url, execute, "UPDATE alembic_version SET version_num = '9007'")
    for ask in (check, migrate):
        with pytest.raises(SchemaTooNew) as caught:
            ask(database_url)
        assert str(caught.value) == (
            f"This database was made by a newer Replyline (schema 9007, this one knows {OURS.newest}); "
            "install that version or newer."
        )


def test_a_database_without_tables_names_the_command_that_makes_them(empty_url):
    with pytest.raises(SchemaTooOld, match="run `replyline migrate"):
        check(empty_url)


def test_a_database_of_an_older_version_names_the_command_that_brings_it_up_to_date(database_url):
    on(database_url, execute, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(SchemaTooOld, match=f"at schema 0000, and this version needs {OURS.newest}; run `replyline mig"):
        check(database_url)


@only_on_sqlite
def test_checking_does_not_make_a_database(database_url, tmp_path):
    with pytest.raises(SchemaTooOld, match="no database yet"):
        check(f"sqlite:///{tmp_path}/other.db")
    assert not (tmp_path / "other.db").exists()


def test_processes_that_start_together_migrate_once(empty_url):
    script = "import sys; from replyline.db.migrate import migrate; migrate(sys.argv[1])"
    started = [subprocess.Popen([sys.executable, "-c", script, empty_url], stderr=subprocess.PIPE) for _ in range(3)]
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    assert on(empty_url, lambda conn: conn.exec_driver_sql("SELECT version_num FROM alembic_version").all()) == [
        (OURS.newest,)
    ]


def test_a_plugin_brings_its_own_tables_and_moves_at_its_own_pace(database_url, plugin):
    with pytest.raises(SchemaTooOld, match="of the plugin cinema"):
        check(database_url, extra=[plugin])
    migrate(database_url, extra=[plugin])
    check(database_url, extra=[plugin])
    assert {"seats", "alembic_version_cinema"} <= on(database_url, tables)

    add_revision(plugin.folder, "0002", '"0001"', "screens")
    with pytest.raises(SchemaTooOld, match="cinema is at schema 0001, and this version needs 0002"):
        check(database_url, extra=[plugin])
    migrate(database_url, extra=[plugin])
    assert {"seats", "screens"} <= on(database_url, tables)
    check(database_url)


def test_a_plugin_that_is_older_than_its_tables_is_refused_by_name(database_url, plugin):
    migrate(database_url, extra=[plugin])
    on(database_url, execute, "UPDATE alembic_version_cinema SET version_num = '0005'")
    with pytest.raises(SchemaTooNew, match="a newer version of the plugin cinema"):
        check(database_url, extra=[plugin])


def test_a_migration_that_fails_leaves_everything_as_it_was(database_url, plugin):
    add_revision(plugin.folder, "0002", '"0001"', "contacts")  # is there already
    with pytest.raises(Exception, match="already exists"):
        migrate(database_url, extra=[plugin])
    assert "seats" not in on(database_url, tables)


def test_the_check_of_a_start_does_without_alembic(database_url):
    script = (
        "import sys; from replyline.db.migrate import check, migrate; check(sys.argv[1]); migrate(sys.argv[1]);"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, database_url], check=True, timeout=60)


def test_a_database_that_cannot_be_opened_is_said_so_in_a_sentence():
    with pytest.raises(DatabaseDown, match="The database cannot be opened"):
        check("postgresql://nobody@/nothing?host=/nonexistent")
