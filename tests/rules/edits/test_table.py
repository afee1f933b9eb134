"""Lookup tables from CSV text."""

import pytest

from rules.edits import Table
from rules.errors import RulesError


def test_lookup() -> None:
    """The first column is the key, trimmed; the first after it the answer, if none is named."""
    table = Table.from_csv("t", "old,new,site\r\n 12 , 0012 ,A\r\n\r\n13,0013,B\r\n")
    assert table.columns == ("new", "site")
    assert table.lookup(" 12 ") == "0012"
    assert table.lookup("13", "site") == "B"
    assert table.lookup("14") is None
    with pytest.raises(RulesError):
        table.lookup("12", "nowhere")


def test_spreadsheet() -> None:
    """A byte order mark and semicolons, as spreadsheets write them, are understood; quotes keep a comma."""
    assert Table.from_csv("t", "\ufeffold;new\n1;a\n").lookup("1") == "a"
    assert Table.from_csv("t", 'old,new\n1,"a, b"\n').lookup("1") == "a, b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header row"),
        ("old\n1\n", "header row"),
        ("old,new,new\n", "line 1"),
        ("old,new\n1,a\n2\n", "line 3: 1 columns"),
        ("old,new\n77,a\n2,b\n77,c\n", "line 4: the key stands already in line 2"),
        ("old,new\n,a\n", "line 2: the key is empty"),
        ('old,new\n1,"a\n', "line 2"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    """A table that cannot be trusted is refused with the line number, never with a value."""
    with pytest.raises(RulesError) as caught:
        Table.from_csv("ids", text)
    assert message in str(caught.value)
    assert "77" not in str(caught.value)


def test_remarks() -> None:
    """A line that begins with # is a remark, before the header row, too; in quotes it is a key or part of a cell."""
    table = Table.from_csv("t", '# of 1999, 2 rows\nold;new\n# 1;b\n1;a\n"#2";c\n')
    assert dict(table.rows) == {"1": ("a",), "#2": ("c",)}
    assert Table.from_csv("t", 'old,new\n1,"a\n# b"\n').lookup("1") == "a# b"
    with pytest.raises(RulesError, match="line 4"):
        Table.from_csv("t", "# one\nold,new\n# two\n3\n")
