"""docs/reliability.md names tests that there are."""

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
