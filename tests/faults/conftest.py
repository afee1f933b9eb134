"""A real database of each kind, for the tests here that ask for one."""

from tests.support.databases import database_server

__all__ = ["database_server"]
