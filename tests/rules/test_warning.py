"""Rules that warn: the instance goes its way as if they were not there, and what they say is in the decision."""

import pytest

from rules import RulesError, Verdict, explained, run_tests
from tests.support.rules import arrival, header, ruleset

RULES = """
normalise:
  - {name: weigh, when: {Modality: PT, suv_computable: no}, warn: no SUV}
  - {name: site, edit: [set: {InstitutionName: NCC}]}
  - {name: quality, when: {StationName: QC}, hold: this scanner needs a look}
routes:
  - {name: all, when: {InstitutionName: NCC}, to: [pacs], warn: seen}
  - {name: last, to: [station], warn: seen later, disabled: yes}
"""


def test_it_goes_on_and_is_told() -> None:
    """The rules below are asked, the edits are made, the routes chosen; each warning has its rule and its finding."""
    rules = ruleset(RULES)
    decision = rules.decide(
        header(Modality="PT", CorrectedImage=["ATTN", "DECY"], DecayCorrection="START", Units="GML"), arrival()
    )
    assert decision.warnings == (Verdict("all", "seen"),)
    decision = rules.decide(
        header(Modality="PT", CorrectedImage="ATTN", DecayCorrection="START", Units="GML"), arrival()
    )
    assert decision.warnings == (Verdict("weigh", "no SUV; CorrectedImage has no DECY"), Verdict("all", "seen"))
    assert [each.destination for each in decision.dispatches] == ["pacs"]
    assert [change.rule for change in decision.changes] == ["site"]
    assert rules.decide(header(Modality="CT"), arrival()).warnings == (Verdict("all", "seen"),)


def test_what_is_held_is_not_warned_of_yet() -> None:
    """What waits for a person does not count as let through; what they let go does."""
    rules = ruleset(RULES)
    waiting = header(Modality="PT", StationName="QC")
    held = rules.decide(waiting, arrival())
    assert (held.held is not None, held.warnings) == (True, ())
    assert [each.rule for each in rules.decide(waiting, arrival(), {}, let_by="quality").warnings] == ["weigh", "all"]


def test_it_is_explained() -> None:
    """Who asks before the instance comes is told that it would be recorded."""
    story = "\n".join(explained(ruleset(RULES), header(Modality="CT"), arrival()).lines())
    assert "lets it through, and it is recorded: seen" in story


@pytest.mark.parametrize(
    ("expect", "failure"),
    [("warned: yes", None), ("warned: no", "warned by all: seen"), ("to: [pacs]", None)],
)
def test_a_test_may_expect_it(expect: str, failure: str | None) -> None:
    """`warned` says whether any rule warns; a test that does not say so does not mind."""
    case = f"tests: [{{name: it, given: {{Modality: CT}}, expect: {{{expect}}}}}]"
    [result] = run_tests(ruleset(RULES + case))
    assert result.failures == ([failure] if failure else [])


def test_a_test_may_miss_it() -> None:
    """Where nothing warns and a test expects it, that is told."""
    [result] = run_tests(ruleset("tests: [{name: it, given: {Modality: CT}, expect: {warned: yes}}]"))
    assert result.failures == ["not warned of"]


@pytest.mark.parametrize(
    "text",
    [
        "normalise: [{name: a, warn: x, hold: y}]",
        "normalise: [{name: a, warn: x, edit: [blank: StudyID]}]",
        "normalise: [{name: a, warn: ''}]",
        "routes: [{name: a, warn: x}]",
        "tests: [{name: a, given: {Modality: CT}, expect: {held: yes, warned: yes}}]",
    ],
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    """A rule on arrival does one thing, a route sends, what waits is not warned of."""
    with pytest.raises((RulesError, ValueError)):
        ruleset(text)
