"""Files as the archive writes them, whatever the system takes at once."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from archive import files
from archive.files import create, write_at, write_parts_at

PARTS = [b"head", b"", memoryview(b"prefix"), memoryview(b"the rest of it")]


@pytest.mark.parametrize("taken", [None, 1, 4, 7, 10, 23])
def test_parts_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int | None) -> None:
    """One after the other at their place, if the system takes only some bytes at first or has no such call."""

    def some(descriptor: int, parts: Sequence[bytes | memoryview], offset: int) -> int:
        return os.pwrite(descriptor, b"".join(parts)[:taken], offset)

    monkeypatch.setattr(files, "_HAS_PARTS", taken is not None)
    monkeypatch.setattr(os, "pwritev", some, raising=False)
    with create(tmp_path / "file") as file:
        write_at(file, b"before ... after", 0)
        write_at(file, b" after", 31)
        write_parts_at(file, PARTS, 7)
    assert (tmp_path / "file").read_bytes() == b"before headprefixthe rest of it after"
