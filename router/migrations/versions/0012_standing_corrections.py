"""Corrections that stand for what arrives later, and from which secrets copies are to be made."""

import sqlalchemy as sa
from alembic import op

from archive import Json

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("deliveries", sa.Column("made_from", sa.String(32), nullable=True))
    op.add_column("studies", sa.Column("standing", Json(), nullable=True))
