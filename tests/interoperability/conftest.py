"""One running appliance a module, which takes from everybody, and whatever lies in it by UID."""

from collections.abc import Iterator

import pytest

from tests.support.appliance import RunningAppliance

RECEIVES = """
appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data, unknown_sources: accept}
routes: []
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAppliance]:
    """An appliance that only receives."""
    with RunningAppliance(tmp_path_factory.mktemp("site"), RECEIVES) as running:
        yield running
