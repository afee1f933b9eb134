"""How the clocks were, so that the next start notices that one was set."""

import sqlalchemy as sa
from alembic import op

from archive import UtcDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "clocks",
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("era", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("holder"),
    )
