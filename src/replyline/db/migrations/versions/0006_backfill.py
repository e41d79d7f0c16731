"""Texts found in Twilio's list, and how far it has been read."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("texts", sa.Column("found_at", sa.BigInteger(), nullable=True))
    op.add_column("texts", sa.Column("looked_at", sa.BigInteger(), nullable=True))
    for name, column, where in (
        ("ix_texts_unheard_of", "sending_at", "status = 'sent'"),
        ("ix_texts_found", "found_at", "found_at IS NOT NULL"),
    ):
        op.create_index(
            name, "texts", [column], unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
    op.create_table(
        "backfill_marks",
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("our_address", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_until", sa.BigInteger(), nullable=False),
        sa.Column("away_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("line", "our_address", name=op.f("pk_backfill_marks")),
    )
