"""Whether all the announced pixel data is there, told from lengths alone."""

from pathlib import Path

import pytest

from archive import Identity, Spool
from router.ingest.wholeness import is_cut_short
from rules import Header
from tests.support.arrivals import CT, origin
from tests.support.data import data_files, needs_data
from tests.support.part10 import data_set_of

DEFLATED = "1.2.840.10008.1.2.1.99"
FILES = [path for path in data_files("transfer-syntaxes") if data_set_of(path)[0] != DEFLATED]


def _is_cut_short(tmp_path: Path, syntax: str, data_set: bytes) -> bool:
    spool = Spool(tmp_path / "spool")
    with spool.open(Identity(CT, "1.2.3", syntax), origin()) as incoming:
        incoming.write(data_set)
        entry = spool.read(incoming.seal())
    spool.close()
    return is_cut_short(entry, Header.scan(entry.data_set(0, entry.size), syntax, complete=True))


@needs_data
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_whole_file_is_whole_and_a_cut_one_is_not(path: Path, tmp_path: Path) -> None:
    """Native or in fragments, in any transfer syntax: cut soon after the pixel data begins, it is cut short."""
    syntax, data_set = data_set_of(path)
    assert not _is_cut_short(tmp_path / "whole", syntax, data_set)
    pixel_data = Header.scan(data_set, syntax).pixel_data()
    assert pixel_data is not None
    assert _is_cut_short(tmp_path / "cut", syntax, data_set[: pixel_data[0] + 10])


@needs_data
def test_bytes_after_the_last_fragment_do_not_matter(tmp_path: Path) -> None:
    """Where the last bytes are not the delimiter, the fragments are followed to it."""
    [path] = [path for path in FILES if path.name == "JPEG2000.dcm"]
    syntax, data_set = data_set_of(path)
    padding = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0"
    assert not _is_cut_short(tmp_path, syntax, data_set + padding)
