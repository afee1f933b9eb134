"""What a role asks of its machine is done: freed memory stays its own, filing keeps to one processor and waits."""

import ctypes
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from router.roles.machine import keep_off_the_last_processor, keep_to_the_last_processor, take_long_slices
from tests.support.appliance import RunningAppliance, wait_until

_SCRIPT = """
import resource, sys, threading
from router.roles.machine import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory(40 << 20, 8 << 20)
def faults(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    batch = [b"x" * size for _ in range((32 << 20) // size)]
    del batch
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def work():
    print(*(faults(size) for size in (600_000, 600_000, 4_000_000, 4_000_000, 600_000)))
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told how much to keep")
def test_batch_is_read_into_the_place_of_the_last_one() -> None:
    """32 MB of instances cost a page fault each 4 kB once, and with every batch where nothing is said."""
    told, untold = ([int(count) for count in _run(how).split()] for how in ("kept", "as it is"))
    assert told[0] > 7_000
    assert max(told[1], told[3], told[4]) < 700, told
    assert min(untold) > 7_000, untold


def _run(how: str) -> str:
    command = [sys.executable, "-c", _SCRIPT, how]
    return subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_thread_keeps_to_one_processor_and_its_helper_to_the_others() -> None:
    """Only the threads that ask, also one that another began which keeps to one itself."""
    all_of_them = os.sched_getaffinity(0)
    found: list[set[int]] = []

    def help_out() -> None:
        keep_off_the_last_processor()
        found.append(os.sched_getaffinity(0))

    def run() -> None:
        keep_to_the_last_processor()
        found.append(os.sched_getaffinity(0))
        _in_a_thread(help_out)

    _in_a_thread(run)
    assert found == [{max(all_of_them)}, all_of_them - {max(all_of_them)} or all_of_them]
    assert os.sched_getaffinity(0) == all_of_them


def _in_a_thread(run: Callable[[], None]) -> None:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_machine_that_forbids_it_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system lets nobody choose the thread goes on as it is."""
    asked: list[object] = []

    def forbid(*arguments: object) -> None:
        asked.append(arguments)
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    keep_to_the_last_processor()
    assert len(asked) == 1


def _slice_of(thread: str) -> int | None:
    """Nanoseconds that a thread runs before another is looked at; None where the system does not say."""
    path = Path(f"/proc/{thread}/sched")
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return next((int(line.split(":")[1]) for line in lines if line.startswith("se.slice")), None)


@pytest.mark.skipif(_slice_of("self") is None, reason="takes Linux 6.12 that tells of its scheduling")
def test_only_the_thread_that_asks_has_long_slices() -> None:
    """It, and no other; how important it is stays as it was."""
    found: list[tuple[int | None, int]] = []

    def run() -> None:
        take_long_slices()
        found.append((_slice_of("thread-self"), os.getpriority(os.PRIO_PROCESS, 0)))

    before = _slice_of("thread-self")
    _in_a_thread(run)
    assert before is not None
    assert found == [(100_000_000, os.getpriority(os.PRIO_PROCESS, 0))]
    assert _slice_of("thread-self") == before < 100_000_000


def test_unknown_processor_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not known what number a call has, none is made."""
    called: list[object] = []
    monkeypatch.setattr(ctypes, "CDLL", called.append)
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    take_long_slices()
    assert not called


@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="takes several processors")
def test_only_filing_keeps_to_one_processor(tmp_path: Path) -> None:
    """One thread of the work role does; those that send, and all that receive, run where there is room."""
    yaml = 'appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}\n'
    with RunningAppliance(tmp_path, yaml) as running:
        roles = running.roles()
        wait_until(lambda: 1 in _processors(roles["work"]), 30, "filing to keep to one processor")
        assert _processors(roles["work"]).count(1) == 1
        assert len(_processors(roles["work"])) > 1
        assert 1 not in _processors(roles["receive"])


def _processors(pid: int) -> list[int]:
    """On how many each thread of a process may run."""
    return [len(os.sched_getaffinity(int(task.name))) for task in Path(f"/proc/{pid}/task").iterdir()]
