"""What people have agreed to, the chained ledger of it, and what the gate has said of each text."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

EVENT_COLUMNS = (
    sa.Column("person", sa.String(length=64), nullable=True),
    sa.Column("scope", sa.String(length=16), nullable=True),
    sa.Column("tier", sa.String(length=16), nullable=True),
    sa.Column("program", sa.String(length=64), nullable=True),
    sa.Column("matched_by", sa.String(length=32), nullable=True),
    sa.Column("recorded_at", sa.BigInteger(), nullable=True),
    sa.Column("proof", JSON, nullable=True),
    sa.Column("salt", sa.String(length=64), nullable=True),
    sa.Column("content_hash", sa.String(length=64), nullable=True),
    sa.Column("position", sa.BigInteger(), nullable=True),
    sa.Column("hash", sa.String(length=64), nullable=True),
)


def upgrade() -> None:
    op.add_column("contacts", sa.Column("introduced_at", sa.BigInteger(), nullable=True))
    op.add_column("texts", sa.Column("program", sa.String(length=64), nullable=True))
    with op.batch_alter_table("consent_events") as events:
        for column in EVENT_COLUMNS:
            events.add_column(column)
        events.alter_column("phone", existing_type=sa.String(length=64), nullable=True)
    op.create_index("ix_consent_events_line_position", "consent_events", ["line", "position"], unique=True)
    op.create_table(
        "suppressions",
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), server_default="all", nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("line", "person", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "consents",
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("program", sa.String(length=64), server_default="", nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("line", "phone", "purpose", "program", name=op.f("pk_consents")),
    )
    op.create_table(
        "consent_chains",
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_consent_chains")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("text_id", sa.String(length=40), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("rule", sa.String(length=64), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("rules_version", sa.String(length=100), nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("said", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_text_id", "decisions", ["text_id"], unique=False)
    op.create_table(
        "audit_events",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=True),
        sa.Column("details", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_line_at", "audit_events", ["line", "at"], unique=False)
