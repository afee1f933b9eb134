"""A machine whose `fsync` does nothing is noticed at the start, and told until the next good one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archive import synchronises
from tests.support.appliance import REPOSITORY, RunningAppliance, wait_until
from tests.support.figures import figure

YAML = 'appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}\n'
SAID = "this machine does not synchronise"
NO_SYNC = """
#include <fcntl.h>
/* as libeatmydata does it: a descriptor that is none is refused, whatever else it is is said to be done */
int fsync(int descriptor) { return fcntl(descriptor, F_GETFD) == -1 ? -1 : 0; }
"""
NO_DATA_SYNC = NO_SYNC.replace("int fsync", "int fdatasync")


def _preload(folder: Path, source: str) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("making a library to be preloaded needs Linux and a C compiler")
    (folder / "none.c").write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "none.so", folder / "none.c"], check=True)
    return str(folder / "none.so")


def test_this_machine_synchronises() -> None:
    """Nothing is said where all is well."""
    assert synchronises()


@pytest.mark.parametrize("source", [NO_SYNC, NO_DATA_SYNC], ids=["fsync", "fdatasync"])
def test_a_preload_is_noticed(tmp_path: Path, source: str) -> None:
    """Either call that does nothing is noticed, whatever the library is called."""
    library = _preload(tmp_path, source)
    script = "from archive import synchronises; print(synchronises())"
    environment = {**os.environ, "LD_PRELOAD": library}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _told(appliance: RunningAppliance) -> list[object]:
    query = "select json_extract(detail, '$.synchronises') from journal where kind = 'synchronising' order by id"
    return [value for (value,) in appliance.sql(query)]


@pytest.mark.slow
def test_an_appliance_that_cannot_synchronise_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the log, in the journal, in `check`, and in `status` wherever that is asked, until the next good start."""
    library = _preload(tmp_path, NO_SYNC)
    monkeypatch.setenv("LD_PRELOAD", library)
    appliance = RunningAppliance(tmp_path, YAML)
    with appliance:
        checked = appliance.run("check")
        assert (checked.returncode, SAID in checked.stderr) == (0, True)
        monkeypatch.delenv("LD_PRELOAD")
        assert SAID in appliance.log.read_text()
        wait_until(lambda: _told(appliance) == [0], 60, "the journal to say so")
        assert SAID in appliance.run("status").stdout
    with appliance:
        wait_until(lambda: _told(appliance) == [0, 1], 60, "the journal to say that it is well again")
        assert SAID not in appliance.run("status").stdout
        assert SAID not in appliance.run("check").stderr
    figure(
        "n = 1 machine whose fsync does nothing: told by log, journal, check and status, and no more when it is well"
    )
