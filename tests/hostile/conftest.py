"""One appliance for all bad peers, with short deadlines."""

import sys
from collections.abc import Iterator

import pytest

from tests.support.besieged import Besieged


@pytest.fixture(scope="session")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """It runs; at the end no address has caused more events than its tests expect."""
    if sys.platform != "linux":
        pytest.skip("addresses of their own and /proc are there on Linux only")
    with Besieged(tmp_path_factory.mktemp("besieged")) as running:
        running.settle_in()
        yield running
        for host, expected in running.expected.items():
            assert len(running.events(host)) == expected
