"""An instance in a file of its own, which becomes the archive's: for one so large that the file costs nothing."""

import hashlib
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from archive.files import create, sync_file, sync_folder, write, write_at
from archive.locks import try_lock
from archive.origin import Identity, Origin
from archive.part10 import Stamp, blank_stamp, encode_head


class LargeFile:
    """One instance, a Part 10 file whose head is written again when all is known; methods raise OSError."""

    def __init__(self, incoming: Path, sealed: Path, identity: Identity, origin: Origin) -> None:
        """Unfinished in the folder `incoming`, later in `sealed`."""
        self.size = 0  # bytes of the data set so far
        self._path = incoming / f"{uuid4().hex}.part"
        self._sealed = sealed
        self._identity = identity
        self._origin = origin
        self._hash = hashlib.sha256()
        head = encode_head(identity, blank_stamp(origin))
        self._head_length = len(head)
        self._file = create(self._path)
        try:
            try_lock(self._file)  # says to a sweep that somebody lives
            write(self._file, head)
        except OSError:
            self.discard()
            raise

    def write(self, fragment: bytes | bytearray | memoryview) -> None:
        """The next bytes of the data set."""
        write(self._file, fragment)
        self._hash.update(fragment)
        self.size += len(fragment)

    def seal(self, arrival: str) -> None:
        """All of it is on the disk when this returns, under its name."""
        digest = self._hash.hexdigest()
        stamp = Stamp(arrival, self._origin, digest, self.size, digest)
        write_at(self._file, encode_head(self._identity, stamp, self._head_length), 0)
        sync_file(self._file)
        self._file.close()
        sealed = self._sealed / f"{arrival}.dcm"
        try:
            self._path.rename(sealed)
            sync_folder(self._sealed)
        except OSError:
            with suppress(OSError):
                sealed.unlink(missing_ok=True)
            raise

    def discard(self) -> None:
        """Nothing is left of one that is not sealed; harmless when it is, and when repeated."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
