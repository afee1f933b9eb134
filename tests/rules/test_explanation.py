"""Explanations: every rule, every condition with its actual value, what changes and who gets what."""

import json

import pytest

from rules import explained
from tests.support.rules import arrival, header, ruleset

RULES = """
normalise:
  - name: pad
    when: {PatientID: {matches: '\\d{1,7}'}}
    edit: [{pad: {keyword: PatientID, width: 8, with: "0"}}]
  - name: off
    disabled: true
    edit: [{blank: StudyID}]
routes:
  - name: trial
    when:
      any:
        - {Modality: [PT, CT], StudyDescription: "*TRIAL*"}
        - {source: biograph}
    edit: [{blank: PatientName}]
    after: study quiet 60s
    to: [research]
  - name: everything
    to: [research, full-pacs]
    stop: true
  - name: never
    to: [reading-room]
"""


def test_explain() -> None:
    """Each rule has its outcome; conditions show what they looked at, evaluated to the end."""
    read = header(PatientID="1234567", PatientName="DOE", Modality="PT", StudyDescription="fdg trial")
    story = explained(ruleset(RULES), read, arrival())
    assert [(rule.kind, rule.name, rule.outcome) for rule in story.rules] == [
        ("normalise", "pad", "matched"),
        ("normalise", "off", "disabled"),
        ("route", "trial", "matched"),
        ("route", "everything", "matched"),
        ("route", "never", "not reached"),
    ]
    condition = story.rules[2].condition
    assert condition is not None
    assert (condition.text, condition.holds) == ("any of", True)
    both, source = condition.parts
    assert [(each.text, each.actual, each.holds) for each in both.parts] == [
        ("Modality: PT or CT", ("PT",), True),
        ("StudyDescription: *TRIAL*", ("fdg trial",), True),
    ]
    assert (source.text, source.actual, source.holds) == ("source: biograph", ("dste",), False)
    assert [(change.attribute, change.old, change.new) for change in story.changes] == [
        ("PatientID", "1234567", "01234567")
    ]
    assert [(copy.destination, copy.route, [c.attribute for c in copy.changes]) for copy in story.copies] == [
        ("research", "trial", ["PatientName"]),
        ("full-pacs", "everything", []),
    ]
    assert any("research: the route 'trial' came first" in note for note in story.rules[3].notes)


def test_lines() -> None:
    """The story as text is complete and readable."""
    lines = list(explained(ruleset(RULES), header(Modality="CT", PatientID="12345678"), arrival()).lines())
    assert lines == [
        "normalise: pad - not matched",
        "    ✗ PatientID: matches \\d{1,7} (is 12345678)",
        "normalise: off - disabled",
        "route: trial - not matched",
        "    ✗ any of",
        "        ✗ all of",
        "            ✓ Modality: PT or CT (is CT)",
        "            ✗ StudyDescription: *TRIAL* (absent)",
        "        ✗ source: biograph (is dste)",
        "route: everything - matched",
        "    stop: the routes below are not looked at",
        "route: never - not reached",
        "the archive keeps it as it came",
        "to research by everything",
        "to full-pacs by everything",
        "not to reading-room: its route never was not reached",
    ]


def test_held() -> None:
    """Of a held instance the failing rule and the reason are told; nothing below is reached, nothing is sent."""
    rules = ruleset(
        "normalise: [{name: station, edit: [{set: {StudyID: '{StationName}'}}]}]\nroutes: [{name: all, to: [x]}]"
    )
    story = explained(rules, header(Modality="CT"), arrival())
    assert [(rule.name, rule.outcome) for rule in story.rules] == [("station", "failed"), ("all", "not reached")]
    assert story.held is not None
    assert list(story.lines())[-1] == f"held by station: {story.held.reason}"
    assert (story.copies, story.changes) == ((), ())


def test_an_edit_that_fails_at_delivery() -> None:
    """A copy whose edits cannot be made is told as held at delivery."""
    rules = ruleset("routes: [{name: all, edit: [{set: {StudyID: '{StationName}'}}], to: [x]}]")
    (copy,) = explained(rules, header(Modality="CT"), arrival()).copies
    assert copy.failure is not None
    assert "StationName" in copy.failure


def test_plain_data() -> None:
    """An explanation is plain data for JSON."""
    story = explained(ruleset(RULES), header(Modality="PT", PatientID="7"), arrival()).as_dict()
    assert json.loads(json.dumps(story))["dispatches"][0]["destination"] == "research"


def test_the_header_before_and_after() -> None:
    """What differs is told element by element as a diff, of the archive's header and, on top, of each copy's."""
    story = explained(
        ruleset(RULES, original_attributes=True),
        header(PatientID="1234567", PatientName="DOE", Modality="PT", StudyDescription="x TRIAL"),
        arrival(),
    )
    lines = list(story.lines())
    start = lines.index("the archive keeps it with these changes:")
    assert lines[start + 1 : start + 3] == [
        "    - (0010,0020) PatientID: 1234567",
        "    + (0010,0020) PatientID: 01234567",
    ]
    assert "    + (0400,0561) OriginalAttributesSequence[0] > (0400,0563) ModifyingSystem: MICROPACS" in lines
    start = lines.index("to research by trial, when the study is quiet for 60 s")
    assert lines[start + 1 : start + 3] == ["    - (0010,0010) PatientName: DOE", "    + (0010,0010) PatientName: "]
    [copy, other] = story.copies
    assert [(each.element, each.old, each.new) for each in copy.differences] == [("(0010,0010) PatientName", "DOE", "")]
    assert other.differences == ()


def test_a_private_and_a_removed_element_in_the_difference() -> None:
    """What is removed has only a minus; a private element goes by its creator; what is not touched is not told."""
    rules = ruleset(
        """
routes:
  - name: all
    edit: [{remove: StudyID}, {set: {"(0019,xx0C GEMS_ACQU_01)": hello}}]
    to: [x]
"""
    )
    (copy,) = explained(rules, header(Modality="CT", StudyID="7", PatientID="1"), arrival()).copies
    assert [(each.element, each.old, each.new) for each in copy.differences] == [
        ("(0019,0010) PrivateCreator", None, "GEMS_ACQU_01"),
        ("(0019,100C) GEMS_ACQU_01", None, "hello"),
        ("(0020,0010) StudyID", "7", None),
    ]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("{Modality: [PT, CT]}", "Modality = SR"),
        ("{Modality: SR, StudyDescription: x}", "StudyDescription is absent"),
        ("{Modality: PT, StudyDescription: x}", "Modality = SR and StudyDescription is absent"),
        ("{any: [{Modality: PT, PatientID: '2'}, {PatientID: '3'}]}", "PatientID = 1"),
        ("{all: [{PatientID: '1'}, {not: {Modality: SR}}]}", "not (Modality = SR)"),
    ],
)
def test_why_not(when: str, told: str) -> None:
    """A destination that gets nothing is told with the conditions that failed, where any would do the fewest."""
    rules = ruleset(f"routes: [{{name: images, when: {when}, to: [full-pacs]}}]")
    [not_chosen] = explained(rules, header(Modality="SR", PatientID="1"), arrival()).not_chosen
    assert str(not_chosen) == f"full-pacs: no route matched; nearest: images failed at {told}"


def test_the_nearest_route_is_the_one_with_the_fewest_failing_conditions() -> None:
    """Of several routes to a destination the nearest is named; one that gets it by another route is not listed."""
    rules = ruleset(
        """
routes:
  - {name: far, when: {Modality: PT, StudyDescription: x}, to: [pacs]}
  - {name: near, when: {Modality: PT, PatientID: "1"}, to: [pacs, other]}
  - {name: all, to: [other]}
  - {name: both, when: {Modality: PT, PatientID: "2"}, to: [choice]}
  - {name: either, when: {any: [{Modality: PT}, {Modality: CT}, {PatientID: "2"}]}, to: [choice]}
  - {name: off, disabled: true, to: [disabled]}
"""
    )
    story = explained(rules, header(Modality="SR", PatientID="1"), arrival())
    assert [(each.destination, each.route) for each in story.not_chosen] == [
        ("pacs", "near"),
        ("choice", "either"),
        ("disabled", "off"),
    ]
    assert str(story.not_chosen[2]) == "disabled: its route off is disabled"
