"""What counts a role's calls sees every one that the kernel sees."""

import re
from pathlib import Path

import pytest

from tests.archive.test_crash_points import WORK
from tests.faults.killing import compiled, needs_compiler
from tests.support.tracing import needs_strace, traced

pytestmark = [needs_compiler, needs_strace]

CALLS = (
    "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,ftruncate,fallocate,rename,renameat,renameat2,link,linkat"
)
CALLS += ",unlink,unlinkat,rmdir,mkdir,mkdirat"
SAME = {"pwrite": "pwrite64", "pwritev64": "pwritev", "pwritev64v2": "pwritev2", "ftruncate64": "ftruncate"}
SAME |= {"fallocate64": "fallocate", "posix_fallocate": "fallocate", "posix_fallocate64": "fallocate"}


def test_every_call_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first fragment to the index, the calls are those that strace names, in their order."""
    monkeypatch.setenv("LD_PRELOAD", str(compiled(tmp_path)))
    calls = tmp_path / "calls"
    armed = f"import ctypes\nctypes.CDLL(None).arm({str(calls)!r}.encode(), 0, 0, 0, b'')\n"
    _, seen = traced(armed + WORK, tmp_path, f"--trace={CALLS}")
    kernel = [call.partition("(")[0] for call in seen if _changes_a_file(call, calls)]
    counted = [SAME.get(name, name) for name in (line.split()[1] for line in calls.read_text().splitlines())]
    assert len(counted) > 100
    assert counted == kernel


def _changes_a_file(call: str, calls: Path) -> bool:
    """Whether it went well, and not into a pipe, a socket or our own list."""
    into = re.match(r"\w+\((\d+)<([^>]*)>", call)
    if into and call.startswith(("write", "pwrite")):
        return into[2].startswith("/") and int(into[1]) > 2 and into[2] != str(calls)
    return re.search(r"= -1 \w+", call) is None
