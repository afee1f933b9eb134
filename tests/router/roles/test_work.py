"""The work role: what it concludes from the spool."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router.appliance import Appliance
from router.config import load
from router.roles import work
from tests.support.arrivals import RECEIVED_AT, sealed


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    """An appliance without processes."""
    file = tmp_path / "micropacs.yaml"
    file.write_text("appliance: {data: ./data}\narchive: {free_space: 1MB}\n", encoding="utf-8")
    appliance = Appliance.open(load(file))
    yield appliance
    appliance.close()


def test_quiet_waits_for_what_the_spool_holds(appliance: Appliance) -> None:
    """All is filed only when nothing waits; where the oldest entries vanish while they are looked at, nothing is."""
    assert work._filed_through(appliance) is None
    entry = sealed(appliance.spool, bytes(5_000_000))  # so large that it has a file of its own
    assert work._filed_through(appliance) == RECEIVED_AT
    entry.path.write_bytes(b"no file of ours any more")
    through = work._filed_through(appliance)
    assert through is not None
    assert through < datetime.now(UTC) - timedelta(days=365_000)
