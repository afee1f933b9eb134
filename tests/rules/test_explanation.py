"""Explanations: every rule, every condition with its actual value, what changes and who gets what."""

import json

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
    story = ruleset(RULES).explain(read, arrival())
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
    lines = list(ruleset(RULES).explain(header(Modality="CT", PatientID="12345678"), arrival()).lines())
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
    ]


def test_held() -> None:
    """Of a held instance the failing rule and the reason are told; nothing below is reached, nothing is sent."""
    rules = ruleset(
        "normalise: [{name: station, edit: [{set: {StudyID: '{StationName}'}}]}]\nroutes: [{name: all, to: [x]}]"
    )
    story = rules.explain(header(Modality="CT"), arrival())
    assert [(rule.name, rule.outcome) for rule in story.rules] == [("station", "failed"), ("all", "not reached")]
    assert story.held is not None
    assert list(story.lines())[-1] == f"held by station: {story.held.reason}"
    assert (story.copies, story.changes) == ((), ())


def test_an_edit_that_fails_at_delivery() -> None:
    """A copy whose edits cannot be made is told as held at delivery."""
    rules = ruleset("routes: [{name: all, edit: [{set: {StudyID: '{StationName}'}}], to: [x]}]")
    (copy,) = rules.explain(header(Modality="CT"), arrival()).copies
    assert copy.failure is not None
    assert "StationName" in copy.failure


def test_plain_data() -> None:
    """An explanation is plain data for JSON."""
    story = ruleset(RULES).explain(header(Modality="PT", PatientID="7"), arrival()).as_dict()
    assert json.loads(json.dumps(story))["dispatches"][0]["destination"] == "research"
