"""Finds budgets whose period is long over, which are let go of."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_budgets_period", "budgets", ["period"], unique=False)
