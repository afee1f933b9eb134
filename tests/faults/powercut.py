"""A file system that loses its power: an ext4 image whose user is stopped at a system call, and the image copied then.

What the kernel had not written to the image by then is lost with the machine; what was synchronised is there.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tracing import REPOSITORY, STRACE

_IMAGE_BYTES = 64 << 20
_STOPPED_LOOKS = 5  # one after the other in which nothing has moved
_LOOK_SECONDS = 0.01
_LONGEST_SECONDS = 60


def needs_images() -> None:
    """Skip where no image can be mounted, with the reason."""
    if os.geteuid() or not all(map(shutil.which, ("mkfs.ext4", "mount", "umount"))) or STRACE is None:
        pytest.skip("mounting an ext4 image needs root, mkfs.ext4, mount and strace")


def new_image(path: Path) -> Path:
    """An empty ext4 file system with a journal."""
    with path.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True, capture_output=True)
    return path


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """The image as a folder."""
    place.mkdir()
    done = subprocess.run(["mount", "-o", "loop", str(image), str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"an ext4 image cannot be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


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
    shutil.copyfile(empty, image)
    with mounted(image, folder / "disk") as place, output.open("wb") as said:
        command = [str(STRACE), "-f", "-qq", "-o", "/dev/null", f"--trace={call}"]
        command += [f"--inject={call}:signal=SIGSTOP:when={number}", sys.executable, "-c", script, str(place)]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=said, start_new_session=True)
        is_over = _wait_until_stopped(process)
        os.killpg(
            process.pid, signal.SIGSTOP
        )  # strace as well: on a busy machine it may just not have come to its turn
        heard = output.read_text()
        shutil.copyfile(image, copy)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _wait_until_free(place)
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
    try:
        if Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            return ""
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            if fields[0] in "Tt":
                return " ".join((fields[0], *fields[11:13]))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return ""


def _wait_until_free(place: Path) -> None:
    """Wait until nobody has a file of the mounted image open any more."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while any(_is_below(link, place) for link in Path("/proc").glob("[0-9]*/fd/*")):
        assert time.monotonic() < deadline, "somebody keeps the disk"
        time.sleep(_LOOK_SECONDS)


def _is_below(link: Path, place: Path) -> bool:
    try:
        return link.readlink().is_relative_to(place)
    except OSError:
        return False
