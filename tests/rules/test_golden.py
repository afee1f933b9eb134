"""Golden cases: YAML files of rules, headers and what must come of them. Anybody can add one to tests/golden/rules."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rules import Ruleset, RulesSettings, Table, compose
from rules.cases import parse_given
from rules.edits.form import EditForm
from rules.operators import OPERATORS
from rules.schema import TestCase
from rules.testing import TestResult, header_of, run

FOLDER = Path(__file__).parents[1] / "golden" / "rules"
KEYS = {"given", "to", "held", "rejected", "changes", "at", "dispatches"}


def golden() -> Iterator[Any]:
    """Every case of every file."""
    for file in sorted(FOLDER.glob("*.yaml")):
        content: Any = compose(file.read_text(encoding="utf-8"), file.name).plain()
        for number, case in enumerate(content["cases"], start=1):
            yield pytest.param(content, case, id=f"{file.stem}-{number}")


def keys(value: Any) -> Iterator[str]:
    """All keys at every depth."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield key
        yield from keys(inner)
    for inner in value if isinstance(value, list) else ():
        yield from keys(inner)


def test_every_operator_and_edit_has_one() -> None:
    """Each operator of a condition and each edit of the header is shown by a golden case."""
    files = [compose(file.read_text(encoding="utf-8"), file.name).plain() for file in FOLDER.glob("*.yaml")]
    shown = {key for content in files for key in keys(content["rules"])}
    edits = set(EditForm.__annotations__) - {"blank_pixels", "transcode"}  # no matter of a header
    assert {*OPERATORS, *edits} - shown == set()


@pytest.mark.parametrize(("content", "case"), list(golden()))
def test_golden(content: Any, case: Any) -> None:
    """What the file says comes of its header by its rules."""
    assert set(case) <= KEYS
    tables = {name: Table.from_csv(name, text) for name, text in content.get("tables", {}).items()}
    ruleset = Ruleset(
        RulesSettings.model_validate(content["rules"]), tables, system="GOLDEN", original_attributes=False
    )
    given = parse_given(case["given"])
    decision = ruleset.decide(header_of(given), given.arrival)

    assert (decision.held.rule if decision.held else None) == case.get("held"), decision.held
    assert (decision.rejected.rule if decision.rejected else None) == case.get("rejected"), decision.rejected
    if "to" in case:
        assert [f"{each.destination} by {each.route}" for each in decision.dispatches] == case["to"]
    if "dispatches" in case:
        assert [
            f"{each.destination} {each.priority.name.lower()} {each.scope} {each.quiet_seconds:g} {each.late}"
            for each in decision.dispatches
        ] == case["dispatches"]
    if "changes" in case:
        changes = [{"rule": c.rule, "attribute": c.attribute, "old": c.old, "new": c.new} for c in decision.changes]
        assert changes == case["changes"]
        assert (decision.splice is None) is (not changes)
    if "at" in case:
        test = TestCase.model_validate({"name": "at", "given": case["given"], "expect": {"at": case["at"]}})
        assert run(test, ruleset) == TestResult("at", True, [])
