"""SIGKILL at each system call of a role that changes a file, before it and half-way in it. `two_routes` checks."""

from collections.abc import Iterator

import pytest

from tests.faults.killing import needs_compiler
from tests.faults.two_routes import OTHER, Site, befall, site
from tests.support.dcmtk import needs_dcmtk

pytestmark = [needs_compiler, needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An appliance in parts, and its receivers."""
    with site(tmp_path_factory.mktemp("killed")) as there:
        yield there


@pytest.mark.parametrize("is_halfway", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("role", OTHER)
def test_role_killed_at_a_call(there: Site, role: str, is_halfway: bool) -> None:
    """Whichever call it dies at, started again it brings each instance to the archive and to both receivers."""
    ends = there.ends
    befall(there, role, is_halfway=is_halfway)
    assert there.ends > ends
