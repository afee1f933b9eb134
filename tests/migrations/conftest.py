"""Each test here runs once for each database."""

from tests.support.databases import database, database_server

__all__ = ["database", "database_server"]
