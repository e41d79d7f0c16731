"""What everything costs: a charge for each text and request, sums of them, and what Twilio says it billed."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SUMS = [
    "charges",
    "units",
    "cost_micros",
    "estimated_micros",
    "difference_micros",
    "unknown",
    "unpriced",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
]


def word(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=length), server_default="", nullable=False)


def needed(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=length), nullable=False)


def number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.create_table(
        "charges",
        needed("of_id", 64),
        needed("kind", 16),
        needed("line", 64),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.String(length=40), nullable=True),
        word("campaign", 64),
        word("country", 2),
        word("sender", 64),
        word("purpose", 32),
        word("model", 100),
        sa.Column("units", sa.Integer(), nullable=False),
        number("input_tokens"),
        number("cached_tokens"),
        number("cache_write_tokens"),
        number("output_tokens"),
        sa.Column("estimate_micros", sa.BigInteger(), nullable=True),
        sa.Column("carrier_micros", sa.BigInteger(), nullable=True),
        sa.Column("estimate_currency", sa.String(length=3), server_default="USD", nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), server_default="USD", nullable=False),
        sa.Column("look_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("of_id", "kind", name=op.f("pk_charges")),
    )
    op.create_index("ix_charges_conversation_id", "charges", ["conversation_id"], unique=False)
    op.create_index("ix_charges_at", "charges", ["at"], unique=False)
    partial("ix_charges_look_at", "charges", ["look_at"], "look_at IS NOT NULL")
    op.create_table(
        "charge_days",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        needed("line", 64),
        needed("period", 10),
        needed("kind", 16),
        needed("country", 2),
        needed("sender", 64),
        needed("purpose", 32),
        needed("campaign", 64),
        needed("model", 100),
        needed("currency", 3),
        *[number(name) for name in SUMS],
        sa.Column("is_folded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_days")),
    )
    partial("ix_charge_days_folded", "charge_days", ["line", "period"], "is_folded")
    partial("ix_charge_days_new", "charge_days", ["id"], "NOT is_folded")
    op.create_table(
        "charge_talks",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        needed("line", 64),
        needed("period", 7),
        needed("conversation_id", 40),
        needed("currency", 3),
        number("charges"),
        number("cost_micros"),
        number("unknown"),
        sa.Column("is_folded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_talks")),
    )
    partial("ix_charge_talks_folded", "charge_talks", ["conversation_id", "period"], "is_folded")
    partial("ix_charge_talks_dearest", "charge_talks", ["line", "period", "cost_micros"], "is_folded")
    partial("ix_charge_talks_new", "charge_talks", ["id"], "NOT is_folded")
    op.create_table(
        "usage_days",
        needed("day", 10),
        needed("category", 64),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        needed("currency", 3),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "category", name=op.f("pk_usage_days")),
    )
    op.create_table(
        "fetched_prices",
        needed("what", 16),
        needed("country", 2),
        needed("sender", 24),
        needed("since", 10),
        needed("amount", 32),
        needed("currency", 3),
        sa.PrimaryKeyConstraint("what", "country", "sender", "since", name=op.f("pk_fetched_prices")),
    )
