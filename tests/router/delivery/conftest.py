"""The queue's tests run on every database."""

import pytest

from archive import Database
from tests.support.databases import database, database_server
from tests.support.deliveries import Bench

__all__ = ["database", "database_server"]


@pytest.fixture
def bench(database: Database) -> Bench:
    """An empty queue."""
    return Bench(database)
