"""The database's schema, version by version."""

from router.migrations.upgrading import METADATA, upgrade

__all__ = ["METADATA", "upgrade"]
