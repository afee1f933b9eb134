"""Corrections that stand for what arrives later, and by which secrets a delivery was decided."""

import sqlalchemy as sa
from alembic import op

from archive import Json

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("studies", sa.Column("standing", Json(), nullable=True))
