"""Damaged files are written down, how far the archive is verified, and a checksum that is quick to compare."""

import sqlalchemy as sa
from alembic import op

from archive import Id, UtcDateTime, text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two tables and a column; what is kept already has no checksum."""
    op.add_column("instances", sa.Column("checksum", text(16), nullable=True))
    op.create_table(
        "damaged",
        sa.Column("id", Id, nullable=False),
        sa.Column("arrival", text(24), nullable=False),
        sa.Column("fault", text(16), nullable=False),
        sa.Column("reason", text(255), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_damaged")),
        sa.UniqueConstraint("arrival", name=op.f("uq_damaged_arrival")),
    )
    op.create_table(
        "verification",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("after_id", Id, nullable=False),
        sa.Column("last_id", Id, nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification")),
    )
