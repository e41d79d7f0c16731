"""Budgets: what is left of each, what each text takes of them, and how many texts left in an hour."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def needed(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=length), nullable=False)


def upgrade() -> None:
    op.create_table(
        "budgets",
        needed("line", 64),
        needed("scope", 80),
        needed("period", 10),
        number("spent_micros"),
        number("reserved_micros"),
        number("raised_micros"),
        sa.Column("alerted", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("line", "scope", "period", name=op.f("pk_budgets")),
    )
    op.create_table(
        "reservations",
        needed("text_id", 40),
        needed("line", 64),
        sa.Column("parts", JSON, nullable=False),
        number("estimate_micros"),
        number("reserved_micros"),
        number("spent_micros"),
        sa.PrimaryKeyConstraint("text_id", name=op.f("pk_reservations")),
    )
    op.create_table(
        "hourly_sends",
        needed("line", 64),
        needed("key", 64),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("alerted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("line", "key", "hour", name=op.f("pk_hourly_sends")),
    )
    op.create_index("ix_hourly_sends_hour", "hourly_sends", ["hour"], unique=False)
