"""What people are told is going on, and counts by minute of what no row tells."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "alerts",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=True),
        sa.Column("says", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("is_watched", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alerts")),
    )
    op.create_table(
        "alert_tellings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("event", sa.String(length=8), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told", json, nullable=False),
        sa.Column("over_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_tellings")),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "at", name=op.f("pk_tallies")),
    )
    op.create_index("ix_tallies_at", "tallies", ["at"], unique=False)
    for name, table, column, where in (
        ("ix_alert_tellings_waiting", "alert_tellings", "key", "over_at IS NULL"),
        ("ix_texts_ended", "texts", "status_at", "status IN ('delivered', 'undelivered', 'failed')"),
        ("ix_texts_held_by_an_error", "texts", "error_code", "status = 'queued' AND error_code IS NOT NULL"),
        ("ix_turns_failed", "turns", "ended_at", "state = 'failed'"),
    ):
        op.create_index(
            name, table, [column], unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
