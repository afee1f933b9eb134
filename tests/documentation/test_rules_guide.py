"""The guide to rules tells the truth: every block loads, its tests pass, no form of a condition or edit is left out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.config import Configuration, load
from rules import Ruleset, RulesSettings, compose, run_tests
from rules.edits.form import EditForm
from rules.facts import ARRIVAL_FACTS
from rules.operators import OPERATORS
from tests.support.guide import REPOSITORY, Block, blocks

FOLDER = REPOSITORY / "docs" / "guide"
BLOCKS = blocks(FOLDER / "rules.md")
EXAMPLES = [block for block in BLOCKS if block.language == "yaml"]
FILES = [block for block in BLOCKS if block.mark.startswith("file: ")]
SITE = """
appliance: {unknown_sources: accept}
sources:
  dste: {ae_title: GE_DSTE, host: 10.1.1.11}
  dls: {ae_title: GE_DLS, host: 10.1.1.12}
destinations:
  full-pacs: {ae_title: HOSPITAL, host: 10.1.1.200}
  reading-room: {ae_title: READING1, host: 10.1.1.31}
  research: {type: folder, path: ./export}
"""


def named(block: Block) -> str:
    """How a parametrised test names a block."""
    return f"line {block.line}"


def plain(block: Block) -> Any:
    """A block as the appliance reads it."""
    return compose(block.text, "the guide").plain()


def loaded(folder: Path, block: Block) -> Configuration:
    """The block with a site around it, beside the tables that the guide shows."""
    for file in FILES:
        place = folder / file.mark.removeprefix("file: ")
        place.parent.mkdir(exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    main = folder / "micropacs.yaml"
    main.write_text(SITE + block.text, encoding="utf-8")
    return load(main, {})


@pytest.mark.parametrize("block", EXAMPLES, ids=named)
def test_an_example_does_what_it_says(block: Block, tmp_path: Path) -> None:
    """Every block is a piece of a configuration that loads; it has tests, and they pass."""
    results = run_tests(loaded(tmp_path, block).ruleset)
    assert results
    assert [(result.name, result.failures) for result in results if not result.passed] == []


@pytest.mark.parametrize("block", EXAMPLES, ids=named)
def test_an_example_shows_its_rules(block: Block) -> None:
    """Without its rules a block's tests fail: what they expect comes of the rules and not of nothing."""
    content = plain(block)
    for rule in (*content.get("normalise", ()), *content.get("routes", ())):
        rule["disabled"] = "yes"
    content.pop("tables", None)
    ruleset = Ruleset(RulesSettings.model_validate(content), {}, system="GUIDE")
    assert not all(result.passed for result in run_tests(ruleset))


def conditions(value: object) -> Iterator[dict[str, Any]]:
    """The conditions of all rules, those within others too."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from conditions(each)
    if isinstance(value, list):
        for each in value:
            yield from conditions(each)


def test_every_form_of_a_condition_has_an_example() -> None:
    """Each operator, each connective, each fact of the arrival and each way to name an attribute is used."""
    rules = [rule for block in EXAMPLES for rule in plain(block).get("routes", ())]
    used = {key for rule in rules for each in conditions(rule.get("when")) for key in each}
    assert {*OPERATORS, "all", "any", *ARRIVAL_FACTS} - used == set()
    for mark in ("(0008,", " GEMS_", "[0].", "Sequence."):
        assert any(mark in key for key in used), mark


def test_every_edit_has_an_example() -> None:
    """Each edit that there is stands in a block of this page, or of a page of the guide that is its own."""
    pages = [block for page in FOLDER.glob("*.md") for block in blocks(page) if block.language == "yaml"]
    rules = [rule for block in pages for kind in ("normalise", "routes") for rule in plain(block).get(kind, ())]
    used = {name for rule in rules for edit in rule.get("edit", ()) for name in edit}
    assert EditForm.__annotations__.keys() - used == set()
