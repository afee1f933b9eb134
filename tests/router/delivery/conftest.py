"""The queue's tests run on every database; the lines' tests have an appliance in a folder."""

from pathlib import Path

import pytest

from archive import Database
from tests.support.deliveries import Bench


@pytest.fixture
def bench(database: Database) -> Bench:
    """An empty queue."""
    return Bench(database)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the appliance of the test lives."""
    (tmp_path / "appliance").mkdir()
    return tmp_path / "appliance"
