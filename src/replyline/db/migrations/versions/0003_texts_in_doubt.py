"""What a text in doubt has been through, and where a delivery report comes from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("texts", sa.Column("twilio_away_at", sa.BigInteger(), nullable=True))
    op.add_column("texts", sa.Column("adopted_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "delivery_reports", sa.Column("source", sa.String(length=16), server_default="callback", nullable=False)
    )
