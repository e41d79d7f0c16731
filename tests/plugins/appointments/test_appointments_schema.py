"""The plugin's tables, as its migrations make them."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from replyline.db import open_db
from replyline.db.migrate import check, migrate
from replyline.plugins.appointments.tables import metadata
from tests.plugins.appointments.conftest import MIGRATIONS


async def test_the_migrations_make_the_tables_the_code_uses(database_url):
    migrate(database_url, extra=[MIGRATIONS])
    check(database_url, extra=[MIGRATIONS])
    db = open_db(database_url)
    try:
        assert await db.run(differences) == []
    finally:
        await db.close()


def differences(conn):
    ours = set(metadata.tables)
    options = {"include_name": lambda name, kind, parents: kind != "table" or name in ours}
    return compare_metadata(MigrationContext.configure(conn, opts=options), metadata)
