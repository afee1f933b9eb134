"""A text that YAML cuts at a # is told of where a number follows at once; comments are let alone."""

from pathlib import Path

import pytest

from router.config import load

SITE = """\
sources:
  ct: {ae_title: CT, host: 10.1.1.1}
destinations:
  disk: {type: folder, path: ./out}
normalise:
  - name: of the room
    edit:
      - set:
          StationName: CT
routes:
  - name: all
    when:
      StationName:
        - CT
    to: [disk]
"""


def told(folder: Path, old: str, new: str) -> list[tuple[int, int, str]]:
    """Line, column and words of the warnings about comments."""
    assert old in SITE
    file = folder / "site.yaml"
    file.write_text(SITE.replace(old, new), encoding="utf-8")
    found = load(file, {}).warnings
    return [(each.line, each.column, each.message) for each in found if "begins a comment" in each.message]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("of the room", "of the room #1", (6, 11)),
        ("of the room", "of the room  #12 in the cellar", (6, 11)),
        ("of the room", "of the room\n    description: room #1", (7, 18)),
        ("StationName: CT", "StationName: CT #1", (9, 24)),
        ("        - CT", "        - CT #2", (14, 11)),
        ("of the room", "Raum für Müller #1", (6, 11)),
    ],
)
def test_a_text_that_is_cut_is_told(tmp_path: Path, old: str, new: str, place: tuple[int, int]) -> None:
    """Names, descriptions and values of attributes, alone or in a list, at their place."""
    [(line, column, message)] = told(tmp_path, old, new)
    assert (line, column) == place
    assert "in quotes it would belong to the text" in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("of the room", "of the room # 1"),
        ("of the room", "of the room #first"),
        ("of the room", "of the room #TODO 1"),
        ("of the room", '"of the room #1"'),
        ("of the room", "'of the room' #1"),
        ("of the room", r'"\x41 #12"'),
        ("of the room", "of#1"),
        ("of the room", "of the room\n    #1 is the cellar"),
        ("path: ./out}", "path: ./out} #1"),
        ("to: [disk]", "to: [disk] #1"),
        ("  ct: {ae_title: CT, host: 10.1.1.1}", "  ct:\n    ae_title: CT #1\n    host: 10.1.1.1 #1"),
        ("sources:", "sources: #1"),
    ],
)
def test_a_comment_is_none_of_our_business(tmp_path: Path, old: str, new: str) -> None:
    """After a space, of words, on a line of its own, after quotes and brackets, and where no text is asked for."""
    assert told(tmp_path, old, new) == []


def test_one_text_is_told_once(tmp_path: Path) -> None:
    """Though an alias gives it to several."""
    assert (
        len(told(tmp_path, "          StationName: CT", "          &a\n          StationName: CT #1\n      - set: *a"))
        == 1
    )
