"""Fixtures of the tests of corrections: an appliance without processes, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.corrected import Site
from tests.support.databases import Fresh


@pytest.fixture
def site(database_server: Fresh, tmp_path: Path) -> Iterator[Site]:
    """An empty site; the test runs once for each database."""
    site = Site(tmp_path, database_server(tmp_path))
    yield site
    site.close()
