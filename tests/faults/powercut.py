"""A file system that loses its power: an image whose user is stopped at a system call, and the image copied then.

What the kernel had not written to the image by then is lost with the machine; what was synchronised is there.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from glob import glob
from pathlib import Path

import pytest

from tests.support.tracing import REPOSITORY, STRACE

FILE_SYSTEMS = {"ext4": ("-F",), "btrfs": ("-f", "-m", "single")}  # each with the options of its mkfs
_IMAGE_BYTES = 128 << 20  # btrfs takes no less than 114 MB
_UNASKED_SECONDS = 600  # what nobody synchronises stays in memory for so long
_STOPPED_LOOKS = 5  # one after the other in which nothing has moved
_LOOK_SECONDS = 0.01
_LONGEST_SECONDS = 60


def needs_images(kind: str = "ext4") -> None:
    """Skip where no image can be mounted, with the reason."""
    if reason := _why_not(kind):
        pytest.skip(reason)


@cache
def _why_not(kind: str) -> str:
    """The reason why no image can be mounted, "" where one was."""
    if os.geteuid() or not all(map(shutil.which, (f"mkfs.{kind}", "mount", "umount"))) or STRACE is None:
        return f"mounting an image of {kind} needs root, mkfs.{kind}, mount and strace"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(new_image(Path(folder, "image"), kind), Path(folder, "disk")):
                return ""
        except subprocess.CalledProcessError as error:
            return f"an image of {kind} cannot be mounted: {error.stderr.strip()}"


def new_image(path: Path, kind: str = "ext4") -> Path:
    """An empty file system; it takes no room where nothing is."""
    with path.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run([f"mkfs.{kind}", "-q", *FILE_SYSTEMS[kind], str(path)], check=True, capture_output=True)
    return path


def copied(image: Path, copy: Path) -> None:
    """The image as it is at one moment: where the kernel wrote to it meanwhile, it is copied again."""
    while True:
        subprocess.run(["cp", "--sparse=always", str(image), str(copy)], check=True)
        if subprocess.run(["cmp", "-s", str(image), str(copy)], check=False).returncode == 0:
            return


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The image as a folder. Two copies of one image are not to be mounted at a time: btrfs takes them for one."""
    place.mkdir()
    command = ["mount", "-o", f"loop,commit={_UNASKED_SECONDS}", str(image), str(place)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    try:
        yield place
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    """Whoever used it and was killed may not be gone yet."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while (done := subprocess.run(["umount", str(place)], capture_output=True, text=True, check=False)).returncode:
        assert time.monotonic() < deadline, f"somebody keeps the disk: {done.stderr}"
        time.sleep(_LOOK_SECONDS)


@dataclass(frozen=True)
class Cut:
    """What a script had said when the power failed, and the disk as it was then."""

    said: list[str]
    image: Path
    is_over: bool  # the script had ended before


def cut(script: str, empty: Path, folder: Path, call: str, number: int) -> Cut:
    """Run the script on a copy of an empty image until its `number`th `call`, and cut the power there."""
    folder.mkdir()
    image, copy, output = folder / "disk.img", folder / "cut.img", folder / "output"
    copied(empty, image)
    with mounted(image, folder / "disk") as place, output.open("wb") as said:
        command = [str(STRACE), "-f", "-qq", "-o", "/dev/null", f"--trace={call}"]
        command += [f"--inject={call}:signal=SIGSTOP:when={number}", sys.executable, "-c", script, str(place)]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=said, start_new_session=True)
        is_over = _wait_until_stopped(process)
        os.killpg(
            process.pid, signal.SIGSTOP
        )  # strace as well: on a busy machine it may just not have come to its turn
        heard = output.read_text()
        copied(image, copy)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Cut(heard.splitlines(), copy, is_over)


def _wait_until_stopped(process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the traced program stands still; True if it has ended instead."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    looks, before = 0, ""
    while looks < _STOPPED_LOOKS:
        assert time.monotonic() < deadline, "it neither stopped nor ended"
        if process.poll() is not None:
            return True
        time.sleep(_LOOK_SECONDS)
        now = _states(process.pid)
        looks = looks + 1 if now and now == before else 0
        before = now
    return False


def _states(parent: int) -> str:
    """What the program under strace has used so far, "" unless it is stopped, and strace has nothing to do with it."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    tracer = _fields(Path(f"/proc/{parent}/stat"))
    if not tracer or tracer[0] != "S":
        return ""
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in children.read_text().split():
            fields = _fields(Path(f"/proc/{child}/stat"))
            if fields and fields[0] in "Tt":
                return " ".join((fields[0], *fields[11:13]))
    return ""


def stands_still(group: int) -> bool:
    """Whether every thread of a process group is stopped."""
    paths = glob("/proc/[0-9]*/task/[0-9]*/stat")  # noqa: PTH207  # that of Path raises where a process has just ended
    states = [_fields(Path(path)) for path in paths]
    own = [state for state, _, of, *_ in filter(None, states) if of == str(group)]
    return bool(own) and set(own) <= {"T", "t", "Z"}


def _fields(stat: Path) -> list[str]:
    """The state of a process, its parent, its group, and so on; nothing if it is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
