"""Corrections by hand, their undoing, and what destinations have of the versions before."""

import sqlalchemy as sa
from alembic import op

from archive import Id, UtcDateTime, text

revision = "0010"
down_revision = "0003"


def upgrade() -> None:
    """Add what says who changed and undid, which files are to be removed, and who has an older version."""
    op.add_column("amendments", sa.Column("made_by", text(255), nullable=True))
    op.add_column("amendments", sa.Column("undone_at", UtcDateTime(), nullable=True))
    op.add_column("amendments", sa.Column("undone_by", text(255), nullable=True))
    op.create_table(
        "leftovers",
        sa.Column("id", Id, nullable=False),
        sa.Column("file", text(255), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leftovers")),
        sa.UniqueConstraint("file", name=op.f("uq_leftovers_file")),
    )
    for name in ("outdated", "again", "replaces"):
        op.add_column("deliveries", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("receipts", sa.Column("outdated", sa.Boolean(), nullable=False, server_default=sa.false()))
