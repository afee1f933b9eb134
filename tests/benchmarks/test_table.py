"""The benchmarks' table: cells, alignment, and the place in the documentation that it is written to."""

import pytest

from benchmarks.figure import Figure, at_least, at_most
from benchmarks.table import BEGIN, END, as_markdown, as_text, number, replaced, row

FIGURES = [
    Figure("receive", "s", 0.5, 0.4, "storescp", 1.25, at_most(1.4), at_most(1.1), "a note"),
    Figure("a longer name", "ms", 0.25, reach=at_least(2)),
]


def test_a_row_leaves_empty_what_is_not_there() -> None:
    """A figure without peer and ratio has empty cells."""
    assert row(FIGURES[0]) == ("receive", "0.5 s", "0.4 s (storescp)", "1.25", "≤ 1.4", "≤ 1.1", "reached")
    assert row(FIGURES[1]) == ("a longer name", "0.25 ms", "", "", "≥ 2", "", "missed")


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (99.96, "100"), (12.345, "12.3"), (0.01234, "0.0123"), (0.0, "0.0000")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    """Large ones are whole."""
    assert number(value) == text


def test_the_columns_of_the_text_are_aligned() -> None:
    """Every verdict begins below its heading, and the notes follow."""
    heading, _, first, second, note = as_text(FIGURES).splitlines()
    assert heading.index("verdict") == first.index("reached") == second.index("missed")
    assert note == "receive: a note"


def test_the_document_keeps_what_is_around_the_results() -> None:
    """Writing twice leaves one table."""
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = replaced(document, as_markdown(FIGURES))
    assert replaced(once, as_markdown(FIGURES)) == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once


def test_a_document_without_markers_is_not_written() -> None:
    """It would be lost."""
    with pytest.raises(ValueError, match="the document has no"):
        replaced("no markers", "results")
