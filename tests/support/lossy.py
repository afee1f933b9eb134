"""A disk that forgets: what is written to segments is lost, in any part, until it is synchronised."""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from archive import incoming, register, writing
from archive.files import write_at
from archive.rawfile import RawFile

SECTOR = 512


class Death(BaseException):
    """The process is killed here."""


class LossyDisk:
    """Stands behind the segments' writes and synchronisations of all spools of this process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._durable: dict[str, bytes] = {}
        self._pending: dict[str, list[tuple[int, bytes]]] = {}
        self.step: Callable[[], None] = lambda: None  # called before each write and each synchronisation
        self.synced: Callable[[str], None] = lambda _: None  # called with the path after a synchronisation
        for module in (incoming, register, writing):
            patch.setattr(module, "write_at", self._write_at)
            patch.setattr(module, "sync_file", self._sync_file)
        patch.setattr(incoming, "write_durably", self._write_durably)
        patch.setattr(incoming, "write_parts_at", self._write_parts_at)

    def frozen(self, folder: Path, copy: Path, chance: random.Random | None) -> None:
        """The folder as a crash leaves it: all of it after a kill (no chance), what the disk happens to have else."""
        shutil.copytree(folder, copy)
        found = [*copy.rglob("*.segment"), *copy.rglob("*.register")]
        for path in found if chance else ():
            before = str(folder / path.relative_to(copy))
            path.write_bytes(self._left(before, chance))
        for path in found:
            self._durable[str(path)] = path.read_bytes()

    def _left(self, path: str, chance: random.Random) -> bytes:
        image = bytearray(self._durable.get(path, b""))
        keeps = chance.choice([0.0, 0.5, 0.9, 1.0])
        for offset, data in self._pending.get(path, []):
            for start, piece in _sectors(offset, data):
                if chance.random() < keeps:
                    image.extend(bytes(max(0, start + len(piece) - len(image))))
                    image[start : start + len(piece)] = piece
        return bytes(image)

    def _write_at(self, file: RawFile, content: bytes, offset: int) -> None:
        self.step()
        self._pending.setdefault(str(file.name), []).append((offset, bytes(content)))
        write_at(file, content, offset)

    def _write_parts_at(self, file: RawFile, parts: Sequence[memoryview], offset: int) -> None:
        self._write_at(file, b"".join(parts), offset)

    def _write_durably(self, file: RawFile, content: bytes, offset: int) -> None:
        self._write_at(file, content, offset)
        self._sync_file(file)

    def _sync_file(self, file: RawFile) -> None:
        self.step()
        path = str(file.name)
        self._durable[path] = Path(path).read_bytes()
        self._pending.pop(path, None)
        self.synced(path)


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    """The pieces of a write that a disk writes each whole or not at all."""
    pieces = []
    while data:
        size = SECTOR - offset % SECTOR
        pieces.append((offset, data[:size]))
        offset, data = offset + len(data[:size]), data[size:]
    return pieces
