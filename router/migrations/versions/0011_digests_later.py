"""The check of a copy as sent, where its digest is left for later."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("deliveries", sa.Column("check_sent", sa.String(32), nullable=True))
