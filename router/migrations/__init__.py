"""The database's schema, version by version."""

from router.migrations.upgrading import METADATA, SchemaNewerError, upgrade

__all__ = ["METADATA", "SchemaNewerError", "upgrade"]
