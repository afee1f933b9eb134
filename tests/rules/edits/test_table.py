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
