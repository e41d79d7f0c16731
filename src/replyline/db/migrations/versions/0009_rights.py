"""What Twilio still has to delete, how far each line's looks at what is too old have come, and what Twilio is told of consent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_index("ix_media_path", "media", ["path"], unique=False)
    op.create_table(
        "twilio_deletions",
        sa.Column("sid", sa.String(length=40), nullable=False),
        sa.Column("erasure", sa.String(length=40), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("has_media", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_twilio_deletions")),
    )
    op.create_index("ix_twilio_deletions_erasure", "twilio_deletions", ["erasure"], unique=False)
    op.create_index("ix_twilio_deletions_line_person", "twilio_deletions", ["line", "person"], unique=False)
    op.create_table(
        "retention_passes",
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("after", sa.String(length=64), server_default="", nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_retention_passes")),
    )
    op.create_table(
        "consent_syncs",
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("opt_ins_after", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("line", name=op.f("pk_consent_syncs")),
    )
    op.create_table(
        "consent_pushes",
        sa.Column("correlation_id", sa.String(length=32), nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("correlation_id", name=op.f("pk_consent_pushes")),
    )
    op.create_index("ix_consent_pushes_line_position", "consent_pushes", ["line", "position"], unique=False)
    op.create_index("ix_consent_pushes_event_id", "consent_pushes", ["event_id"], unique=False)
