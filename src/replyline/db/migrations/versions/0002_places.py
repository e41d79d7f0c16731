"""Where people are, and an index for the advertising they were sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADVERTISING = sa.text("purpose = 'marketing'")


def upgrade() -> None:
    op.add_column("contacts", sa.Column("zone", sa.String(length=64), nullable=True))
    op.add_column("contacts", sa.Column("state", sa.String(length=2), nullable=True))
    op.add_column("contacts", sa.Column("postal_code", sa.String(length=12), nullable=True))
    op.create_index(
        "ix_texts_advertising",
        "texts",
        ["line", "phone", "sending_at"],
        sqlite_where=ADVERTISING,
        postgresql_where=ADVERTISING,
    )
