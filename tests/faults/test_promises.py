"""docs/reliability.md names tests that there are, and each promise has a test that tells its figure."""

import re

from tests.support.appliance import REPOSITORY

_PAGE = REPOSITORY / "docs" / "reliability.md"


def test_every_named_test_exists() -> None:
    """Each `file::function` of the page is a function of that file, and all 27 promises are there."""
    text = _PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len(named) > 40
    missing = [
        f"{file}::{function}"
        for file, function in named
        if f"def {function}(" not in (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
    ]
    assert missing == []
    assert re.findall(r"^\| (\d{1,2}) \|", text, re.MULTILINE) == [str(number) for number in range(1, 28)]


def test_every_promise_has_its_figure() -> None:
    """Of the tests that a row names one at least tells at the end of the run what it has measured."""
    rows = re.findall(r"^\| (\d{1,2}) \|(.*)$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 27
    untold = [
        number
        for number, row in rows
        if not any(
            "    figure(" in (REPOSITORY / "tests" / file).read_text(encoding="utf-8")
            for file in re.findall(r"`([\w/]+\.py)::", row)
        )
    ]
    assert untold == []
