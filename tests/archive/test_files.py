"""Files as the archive writes them, whatever the system takes at once."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from archive import files
from archive.files import create, write, write_parts

PARTS = [b"head", b"", memoryview(b"prefix"), memoryview(b"the rest of it")]


@pytest.mark.parametrize("taken", [None, 1, 4, 7, 10, 23])
def test_parts_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int | None) -> None:
    """One after the other behind what is there, if the system takes only some bytes at first or has no such call."""

    def some(descriptor: int, parts: Sequence[bytes | memoryview]) -> int:
        return os.write(descriptor, b"".join(parts)[:taken])

    monkeypatch.setattr(files, "_HAS_PARTS", taken is not None)
    monkeypatch.setattr(os, "writev", some, raising=False)
    with create(tmp_path / "file") as file:
        write(file, b"before ")
        write_parts(file, PARTS)
        write(file, b" after")
    assert (tmp_path / "file").read_bytes() == b"before headprefixthe rest of it after"
