"""Whether Twilio's copy of what people send is to be deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("twilio_copy", sa.String(length=8), nullable=True))
