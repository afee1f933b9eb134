"""Disks of their own for parts of a data folder: small ones that fill up, and ones that fail, turn read-only or go."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.powercut import new_image

_REPAIRED = (0, 1)  # nothing was wrong, or it was mended (man e2fsck)

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("mount", "umount", "mkfs.ext4", "losetup"))),
    reason="mounting disks needs root, mount, mkfs.ext4 and losetup",
)


def _run(*command: object) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


class SmallDisk:
    """A file system in memory at `place`."""

    def __init__(self, place: Path, megabytes: int) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        self._ballast = place / "ballast"
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place)

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes free."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):  # others may write at the same time
            while (free := shutil.disk_usage(self.place).free - left) > 0:
                file.write(bytes(min(free, 1 << 20)))

    def make_room(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink()

    def end(self) -> None:
        """Unmount it; who still has it open keeps nobody."""
        _run("umount", "-l", self.place)


class Volume:
    """An ext4 image on a loop device, mounted at `place`; `end` whatever happened to it."""

    def __init__(self, image: Path, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        self.device = _run("losetup", "--find", "--show", new_image(image))
        self._is_mounted = False
        self.mount()

    def mount(self) -> None:
        """Put it (back) in its place."""
        _run("mount", "-o", "errors=remount-ro", self.device, self.place)
        self._is_mounted = True

    def vanish(self) -> None:
        """Unmount it under whoever uses it: an empty folder stands in its place."""
        _run("umount", "-l", self.place)
        self._is_mounted = False

    def turn(self, mode: str) -> bool:
        """Remount it "ro" or "rw"; False while somebody writes."""
        options = ["mount", "-o", f"remount,{mode}", str(self.place)]
        return subprocess.run(options, capture_output=True, check=False).returncode == 0

    def fail(self) -> None:
        """Let the file system find an error in itself: it turns read-only under whoever writes."""
        Path(f"/sys/fs/ext4/{Path(self.device).name}/trigger_fs_error").write_text("1")

    def repair(self) -> None:
        """As an administrator would, when nobody uses it: unmount, check, mount."""
        _run("umount", self.place)
        done = subprocess.run(["e2fsck", "-fy", self.device], capture_output=True, text=True, check=False)
        assert done.returncode in _REPAIRED, done.stderr
        self.mount()

    def end(self) -> None:
        """Unmount it for good."""
        if self._is_mounted:
            self.vanish()
        _run("losetup", "-d", self.device)


@contextmanager
def ended(*disks: SmallDisk | Volume) -> Iterator[None]:
    """The disks are unmounted at the end of the block, in reverse order."""
    try:
        yield
    finally:
        for disk in reversed(disks):
            disk.end()
