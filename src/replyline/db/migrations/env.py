"""What Alembic runs: the revisions of one folder, on the connection it is given (see `db.migrate`)."""

from alembic import context

from replyline.db.tables import metadata

given = context.config.attributes
context.configure(
    connection=given["connection"],
    version_table=given["version_table"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
