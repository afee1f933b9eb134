"""A line for a lookup table: the rest of the file stays to the byte, and what would do harm is not written."""

import os
from pathlib import Path

import pytest

from router.config import Configuration, load
from router.inbox import AmendingError, amend
from rules import Missing, Table

YAML = """
appliance: {data: ./data}
destinations: {pacs: {ae_title: PACS, host: 10.1.1.1}}
tables: {ids: tables/ids.csv}
normalise: [{name: old, edit: [lookup: {keyword: PatientID, table: ids, column: new}]}]
routes: [{name: all, to: [pacs]}]
tests: [{name: 7 is held, given: {PatientID: "7"}, expect: {held: yes}}]
"""


def site(folder: Path, content: bytes) -> Configuration:
    """A configuration with this table."""
    (folder / "tables").mkdir()
    (folder / "tables" / "ids.csv").write_bytes(content)
    (folder / "site.yaml").write_text(YAML, encoding="utf-8")
    return load(folder / "site.yaml")


def missing(key: str) -> Missing:
    """The line that an instance lacks."""
    return Missing("ids", "new", "PatientID", key)


@pytest.mark.parametrize(
    ("before", "added"),
    [
        (b"old,new\n1,a\n", b"# by kim\n999,00000042\n"),
        (b"old,new\n1,a", b"\n# by kim\n999,00000042\n"),
        (b"\xef\xbb\xbfold;issuer;new\r\n1;NCC;\xea\xb0\x80\r\n", b"# by kim\r\n999;;00000042\r\n"),
        (b"# our IDs, since 1999\nold,new\n1,a\n", b"# by kim\n999,00000042\n"),
    ],
)
def test_the_rest_stays(tmp_path: Path, before: bytes, added: bytes) -> None:
    """Byte order mark, separator and line ends are those of the file; all that was there is there."""
    configuration = site(tmp_path, before)
    file = tmp_path / "tables" / "ids.csv"
    file.chmod(0o664)
    made = amend(configuration, missing("999"), "00000042", "by kim")
    assert file.read_bytes() == before + added
    assert file.stat().st_mode & 0o777 == 0o664
    assert made.file == file
    assert made.revision == load(configuration.path).revision != configuration.revision
    assert list((tmp_path / "tables").iterdir()) == [file]


def test_awkward_keys_survive(tmp_path: Path) -> None:
    """A key with a separator, a quote or a # in front is found again; a remark is one line, whatever is in it."""
    for key in ("a,b", 'a"b', "#12", "# 1,2"):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        configuration = site(folder, b"old,new\n1,a\n")
        amend(configuration, missing(key), "42", "by kim\n666,x")
        text = (folder / "tables" / "ids.csv").read_text()
        assert dict(Table.from_csv("ids", text).rows) == {"1": ("a",), key: ("42",)}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("1", "b", "has a line for it already, with 'a'"),
        ("7", "b", "a test of the configuration would fail: 7 is held"),
    ],
)
def test_what_does_harm_is_not_written(tmp_path: Path, key: str, value: str, message: str) -> None:
    """A line that is there, or that a test of the configuration speaks against, is refused; the file is as it was."""
    configuration = site(tmp_path, b"old,new\n1,a\n")
    with pytest.raises(AmendingError, match=message):
        amend(configuration, missing(key), value, "by kim")
    assert (tmp_path / "tables" / "ids.csv").read_bytes() == b"old,new\n1,a\n"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Where the table is a link, the file it leads to is rewritten."""
    real = tmp_path / "real.csv"
    configuration = site(tmp_path, b"old,new\n1,a\n")
    table = tmp_path / "tables" / "ids.csv"
    table.rename(real)
    table.symlink_to(real)
    amend(configuration, missing("999"), "42", "by kim")
    assert table.is_symlink()
    assert real.read_bytes().endswith(b"999,42\n")
