"""Until when a conversation's answer may ask whether a word that stops all texts was meant so."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("clarifies_until", sa.BigInteger(), nullable=True))
