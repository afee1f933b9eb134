"""The configuration guide tells the truth: its examples load, its tests pass, its tables hold line by line."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from router.config import Configuration, ConfigurationError, json_schema, load
from rules import Ruleset, RulesSettings, Table, compose, run_tests
from rules.derived import DERIVED
from tests.support.guide import REPOSITORY, Block, blocks, spans, table_rows

GUIDE = REPOSITORY / "docs" / "configuration.md"
BLOCKS = blocks(GUIDE)
FILES = [block for block in BLOCKS if block.mark.startswith("file: ")]
WHOLE = [block for block in BLOCKS if block.language == "yaml" and not block.mark]
FRAGMENTS = [block for block in BLOCKS if block.mark.startswith("fragment")]
REFUSED = [block for block in BLOCKS if block.mark.startswith("refused: ")]
CONDITIONS = table_rows(GUIDE, "conditions")
EDITS = table_rows(GUIDE, "edits")
FRAME = {
    "sources": """
  dste: {ae_title: GE_DSTE, host: 10.1.1.11}
  dls: {ae_title: GE_DLS, host: 10.1.1.12}
  biograph: {ae_title: BIOGRAPH, host: 10.1.1.13}
""",
    "destinations": """
  full-pacs: {ae_title: HOSPITAL, host: 10.1.1.200}
  research: {type: folder, path: ./export}
""",
}
OLD_IDS = next(block.text for block in FILES if block.mark.endswith(".csv"))


def named(block: Block) -> str:
    """How a parametrised test names a block."""
    return f"line {block.line}"


def loaded(folder: Path, text: str, environ: Mapping[str, str]) -> Configuration:
    """The text as a configuration, beside the files that the guide shows."""
    for file in FILES:
        place = folder / file.mark.removeprefix("file: ")
        place.parent.mkdir(exist_ok=True)
        place.write_text(file.text, encoding="utf-8")
    if "tls/" in text:
        make_certificate(folder)
    main = folder / "micropacs.yaml"
    main.write_text(text, encoding="utf-8")
    return load(main, environ)


def make_certificate(folder: Path) -> None:
    """The files for TLS, by the commands in the guide to operations."""
    shown = next(block.text for block in blocks(REPOSITORY / "docs" / "operations.md") if "req -x509" in block.text)
    (folder / "tls").mkdir()
    subprocess.run(["sh", "-e"], input=shown.encode(), cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "tls" / "micropacs.pem", folder / "tls" / "authorities.pem")


def framed(block: Block) -> str:
    """A fragment with the sections that it speaks of and does not have."""
    missing = [name for name in FRAME if not re.search(rf"^{name}:", block.text, re.MULTILINE)]
    return block.text + "".join(f"{name}:{FRAME[name]}" for name in missing)


def plain(text: str) -> object:
    """A piece of YAML as the appliance reads it, every scalar as text."""
    return compose(text, "the guide").plain()


def value_of(span: str) -> object:
    """What a code span in a table stands for: YAML where it is quoted or in braces, else the text itself."""
    return plain(span) if span[0] in '{"' else span


def failures(rules: object, table: str = OLD_IDS) -> list[str]:
    """What the tests in these plain rules find wrong."""
    ruleset = Ruleset(
        RulesSettings.model_validate(rules), {"old-ids": Table.from_csv("old-ids", table)}, system="MICROPACS"
    )
    return [failure for result in run_tests(ruleset) for failure in result.failures]


def outcome_of(condition: object, given: object) -> list[str]:
    """What is wrong if an instance for which the condition must hold is sent by it."""
    return failures(
        {
            "routes": [{"name": "it holds", "when": condition, "to": ["there"]}],
            "tests": [{"name": "example", "given": given, "expect": {"to": ["there"]}}],
        }
    )


@pytest.mark.parametrize("block", WHOLE, ids=named)
def test_a_whole_example_loads_and_its_tests_pass(block: Block, tmp_path: Path) -> None:
    """What stands in the guide as a configuration is one without a warning, and its own tests pass."""
    configuration = loaded(tmp_path, block.text, {})
    assert configuration.warnings == ()
    assert [result for result in run_tests(configuration.ruleset) if not result.passed] == []


@pytest.mark.parametrize("block", FRAGMENTS, ids=named)
def test_a_fragment_is_a_piece_of_a_configuration(block: Block, tmp_path: Path) -> None:
    """A fragment loads once the sections it speaks of are there, and warns of what the guide says it warns of."""
    said = block.mark.removeprefix("fragment").removeprefix(":").strip()
    environ = dict(pair.split("=") for pair in said.split() if "=" in pair)
    if "tls/" in block.text and shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    configuration = loaded(tmp_path, framed(block), environ)
    if said.startswith("warns "):
        assert said.removeprefix("warns ") in {problem.message for problem in configuration.warnings}


@pytest.mark.parametrize("block", REFUSED, ids=named)
def test_what_is_not_available_is_refused_by_name(block: Block, tmp_path: Path) -> None:
    """The guide quotes the message with which such a configuration is refused."""
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, block.text, {})
    assert [problem.message for problem in refused.value.problems] == [block.mark.removeprefix("refused: ")]


@pytest.mark.parametrize("row", CONDITIONS, ids=lambda row: row[0])
def test_a_condition_holds_for_what_the_guide_says(row: tuple[str, str, str]) -> None:
    """Each value in the second column satisfies the condition, none in the third does."""
    condition = plain(next(spans(row[0])))
    assert isinstance(condition, dict)
    (name, *_) = condition
    for cell, holds in ((row[1], True), (row[2], False)):
        values = [value_of(span) for span in spans(cell)] + [None] * ("absent" in cell)
        assert values
        for value in values:
            given = value if isinstance(value, dict) else {name: value}
            wrong = outcome_of(condition, given)
            assert not any(each.startswith("given cannot be made") for each in wrong), (condition, given)
            assert (wrong == []) is holds, (condition, given)


@pytest.mark.parametrize("row", EDITS, ids=lambda row: row[0])
def test_an_edit_does_what_the_guide_says(row: tuple[str, str, str]) -> None:
    """The edit makes the third column of the second."""
    edit, given = (plain(next(spans(cell))) for cell in row[:2])
    expect = {row[2]: "yes"} if row[2] in {"held", "rejected"} else plain(next(spans(row[2])))
    rules = {
        "normalise": [{"name": "the edit", "edit": [edit]}],
        "tests": [{"name": "example", "given": given, "expect": expect}],
    }
    assert failures(rules) == []


def test_every_keyword_of_the_configuration_is_explained() -> None:
    """Every key that the configuration may have stands in the guide as code."""
    definitions = {"": json_schema(), **json_schema()["$defs"]}
    dicom = set(definitions["ConditionForm"]["properties"])
    own = {"all", "any", "not", "source", "calling_ae", "called_ae", "host", "time", "weekday"} | DERIVED
    known = {key for each in definitions.values() for key in each.get("properties", {})} - dicom | own
    text = re.sub(r"^```.*?^```$", "", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    words = {word for span in spans(text) for word in re.findall(r"\w+", span)}
    headings = set(re.findall(r"^## (\w+)$", text, re.MULTILINE))
    assert known - words - headings == set()
