"""Whether files are still where they were: asked of the system only once something stirred on the way to them.

Linux tells when a name is removed, renamed or covered by a mount. Elsewhere, and on disks that others can change over a
network, every question is asked.
"""

import ctypes
import errno
import os
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from archive.files import is_in_place
from archive.rawfile import RawFile

_MOUNTS = Path("/proc/self/mountinfo")
_FROM, _TO, _REMOVED, _ITSELF_REMOVED, _ITSELF_MOVED = 0x40, 0x80, 0x200, 0x400, 0x800  # sys/inotify.h
_STIRS = _FROM | _TO | _REMOVED | _ITSELF_REMOVED | _ITSELF_MOVED
_OWN_DISKS = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs"})
_EVENTS_BYTES = 1 << 16
_MOST_LINKS = 40  # as Linux has it
_LOOKING = -1


class Watch:
    """Over the files in some folders. Safe for several threads; after `close` every question is asked.

    It is closed with the object at the latest: a user has few watches (Linux: 128).
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Nothing is watched, and every question asked, where it cannot be done for all of them."""
        self._folders = folders
        self._guard = threading.Lock()
        self._stirred = 1  # how often, and once more; _LOOKING while that is looked into
        self._events: int | None = None
        self._poll: select.epoll | None = None  # of all that tells something
        self._mounts: int | None = None
        if sys.platform == "linux" and folders:
            try:
                self._begin()
            except OSError:
                self.close()

    def is_in_place(self, file: RawFile) -> bool:
        """See `files.is_in_place`; of a file in one of the folders."""
        poll = self._poll
        if poll is None:
            return is_in_place(file)
        if poll.poll(0, 1):
            self._look_again()
        stirred = self._stirred  # before the file is asked about
        if file.in_place_at == stirred:
            return True
        is_there = is_in_place(file)
        file.in_place_at = stirred if is_there and stirred != _LOOKING else 0
        return is_there

    def close(self) -> None:
        """Give everything back; harmless when repeated."""
        with self._guard:
            self._end()

    def __del__(self) -> None:
        self._end()

    def _begin(self) -> None:
        self._events = _inotify("init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._mounts = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        self._add()
        poll = select.epoll()
        poll.register(self._events, select.EPOLLIN)
        poll.register(self._mounts, select.EPOLLPRI)  # each time something is mounted or unmounted
        self._poll = poll

    def _look_again(self) -> None:
        """Every file is to be asked about once more, and what leads to them now is watched."""
        with self._guard:
            if self._events is None:
                return
            stirred, self._stirred = self._stirred, _LOOKING  # what is read here must not be missed by others
            try:
                with suppress(BlockingIOError):
                    while os.read(self._events, _EVENTS_BYTES):
                        pass
                self._add()
            except OSError:
                self._poll = None  # others may be asking it just now
            self._stirred = stirred + 1

    def _add(self) -> None:
        """Watch every folder in which a name is looked up; those that are watched already stay so. OSError."""
        assert self._events is not None
        if not all(map(_is_own_disk, self._folders)):  # another disk may have been mounted meanwhile
            raise OSError(errno.ENOTSUP, "nobody tells what others change there")
        for folder in {each for one in self._folders for each in _on_the_way(one)}:
            _inotify("add_watch", self._events, os.fsencode(folder), _STIRS)

    def _end(self) -> None:
        self._poll = None
        for descriptor in (self._events, self._mounts):
            if descriptor is not None:
                os.close(descriptor)
        self._events = self._mounts = None


def _inotify(name: str, *arguments: int | bytes) -> int:
    """One of inotify's calls (inotify(7)); OSError."""
    found = int(getattr(_c_library(), f"inotify_{name}")(*arguments))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _on_the_way(folder: Path) -> Iterator[Path]:
    """Every folder in which a name is looked up to come to this one, and itself. OSError where links go in a circle."""
    here, names, links = Path("/"), [*reversed(folder.absolute().parts)], 0
    while names:
        step = here / names.pop()
        if step.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            names += reversed(step.readlink().parts)
        else:
            here = step
            yield here


def _is_own_disk(folder: Path) -> bool:
    """Whether nobody but this machine changes what is on it."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with _MOUNTS.open(encoding="utf-8", errors="surrogateescape") as mounts:
        for fields in map(str.split, mounts):
            if fields[2] == number:
                return fields[fields.index("-") + 1] in _OWN_DISKS
    return False
