"""Lines of work by lane, and what a sender was asked to do: slow down, wait, or stop for the day."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_work_kind_lane_priority_due", "work", ["kind", "lane", "priority", "due"])
    op.drop_index("ix_work_kind_priority_due", "work")
    op.add_column("senders", sa.Column("slowed_to", sa.Float(), server_default="1", nullable=False))
    op.add_column("senders", sa.Column("slowed_at", sa.BigInteger(), nullable=True))
    op.add_column("senders", sa.Column("closed_until", sa.BigInteger(), nullable=True))
    op.add_column("senders", sa.Column("why", sa.Text(), nullable=True))
    op.add_column("senders", sa.Column("day", sa.String(length=10), server_default="", nullable=False))
    op.add_column("senders", sa.Column("sent_that_day", sa.Integer(), server_default="0", nullable=False))
