"""The database's schema, version by version."""

from router.migrations.upgrading import METADATA, SchemaNewerError, is_current, upgrade

__all__ = ["METADATA", "SchemaNewerError", "is_current", "upgrade"]
