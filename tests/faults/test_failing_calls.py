"""EIO and ENOSPC, once, at each system call of a role that changes or opens a file. `two_routes` checks.

Half-way a write is cut short, and the next one fails.
"""

import errno
from collections.abc import Iterator

import pytest

from tests.faults.killing import needs_compiler
from tests.faults.two_routes import OTHER, Site, befall, site
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import extent

pytestmark = [needs_compiler, needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(4 * 3600)]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An appliance in parts, and its receivers."""
    with site(tmp_path_factory.mktemp("failing")) as there:
        yield there


@pytest.mark.parametrize(
    ("error", "is_halfway"),
    extent(
        [(errno.EIO, False), (errno.ENOSPC, True)],
        [(error, is_halfway) for error in (errno.EIO, errno.ENOSPC) for is_halfway in (False, True)],
    ),
)
@pytest.mark.parametrize("role", OTHER)
def test_call_of_a_role_fails(there: Site, role: str, error: int, is_halfway: bool) -> None:
    """Whichever call fails, each instance comes to the archive and to both receivers, once and whole."""
    befall(there, role, is_halfway=is_halfway, error=error)
    assert there.restarts == [], "a role had to be ended to get over it"
