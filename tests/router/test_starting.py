"""What the programs of the appliance load when they start, asked of the processes themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.appliance import REPOSITORY, RunningAppliance

_YAML = "appliance: {ae_title: MICROPACS, listen: '127.0.0.1:{port}', data: ./data}\nroutes: []\n"
_TELLING = """
import atexit, runpy, sys
atexit.register(lambda: print(*(name for name, module in sys.modules.items() if module), file=sys.stderr))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
_CODECS = {"numpy", "gdcm", "pylibjpeg", "openjpeg", "rle", "jpeg_ls", "requests"}


def _loaded(*arguments: str) -> set[str]:
    """The modules that are loaded when `python -m …` ends."""
    command = [sys.executable, "-c", _TELLING, *arguments]
    told = subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return set(told.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "program",
    [
        ("router.starting", "router.roles.receive", "--help"),
        ("router.starting", "router.roles.work", "--help"),
        ("router.starting", "router.demo.scanner", "--help"),
        ("router.cli", "serve", "--help"),
    ],
    ids=lambda program: program[-2],
)
def test_a_program_that_works_on_no_pixels_loads_no_codec(program: tuple[str, ...]) -> None:
    """Where NumPy and the codecs are installed, roles and commands start without them; pydicom is there."""
    pytest.importorskip("numpy")
    loaded = _loaded(*program)
    assert "pydicom.dataset" in loaded
    assert not loaded & _CODECS


def test_the_process_that_works_on_pixels_loads_them() -> None:
    """`router.pixels` has pydicom whole."""
    pytest.importorskip("numpy")
    assert "numpy" in _loaded("router.pixels")


def test_a_command_loads_no_other_command() -> None:
    """`schema` waits for nothing that `replay`, `demo` and `send` need."""
    loaded = _loaded("router.cli", "schema", "--help")
    assert "router.cli.schema" in loaded
    assert not {"router.cli.replay", "router.cli.demo", "router.cli.send"} & loaded


def test_what_is_left_out_is_still_found() -> None:
    """After a lean start `check` knows what this machine can write, and whoever wants NumPy has it."""
    pytest.importorskip("openjpeg")
    program = (
        "from router.starting import lean\n"
        "with lean():\n    import router.cli.application\n"
        "from router.pixels import can_write\nfrom rules import TARGETS\n"
        "print(can_write(TARGETS['jpeg2000']))\nimport numpy; print(numpy.zeros(2).sum())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "0.0"], done.stderr


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what a process has loaded is asked of /proc")
def test_serve_and_its_roles_run_without_numpy(tmp_path: Path) -> None:
    """None of the three processes of a running appliance has a library of NumPy in its memory."""
    pytest.importorskip("numpy")
    with RunningAppliance(tmp_path, _YAML) as appliance:
        assert appliance.process is not None
        processes = {"serve": appliance.process.pid, **appliance.roles()}
        maps = {name: Path(f"/proc/{pid}/maps").read_text() for name, pid in processes.items()}
    assert set(maps) == {"serve", "receive", "work"}
    assert [name for name, loaded in maps.items() if "/numpy/" in loaded] == []
    assert all("/pydantic_core/" in loaded for loaded in maps.values())
