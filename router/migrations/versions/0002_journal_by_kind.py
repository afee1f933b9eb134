"""The journal is asked for its events of one kind."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index("journal_by_kind", "journal", ["kind", "at"], unique=False)
