"""The rules as they may be written: what the models take, what they refuse, what editors see."""

from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from rules import Priority, RulesSettings
from rules.values import After
from tests.support.rules import settings

SITE = r"""
normalise:
  - name: pad short patient IDs to eight digits
    description: The old RIS gave seven digits.
    contact: PACS office
    when: {PatientID: {matches: '\d{1,7}'}}
    edit:
      - pad: {keyword: PatientID, width: 8, with: "0"}
routes:
  - name: everything to the hospital PACS when the study is quiet
    when: {Modality: [PT, CT, NM]}
    after: study quiet 60s
    late: hold
    to: [full-pacs]
  - name: today's scans to the reading room at once
    when: {source: [dste, biograph], time: "07:00-18:00", weekday: [mon, tue]}
    priority: high
    to: reading-room
  - name: trial patients
    disabled: true
    when:
      all:
        - {StudyDescription: "*FDG TRIAL*"}
        - not: {PatientName: {contains: [TEST, PHANTOM]}}
        - any: [{PatientAge: {above: 18Y}}, {Rows: {between: [128, 512]}}, {StudyID: {not: {present: true}}}]
    edit: [{blank: [PatientName, PatientBirthDate]}]
    to: [research]
    stop: true
otherwise: [full-pacs]
tests:
  - name: a short ID is padded
    given: {source: dste, Modality: PT, PatientID: "1234567"}
    expect: {to: [full-pacs, reading-room], PatientID: "01234567", at: {full-pacs: {PatientName: null}}}
"""


def test_a_site() -> None:
    """Everything a rule may carry is understood; a single destination may stand without a list."""
    site = settings(SITE)
    first, second, third = site.routes
    assert (first.after, first.late, first.priority) == (After("study", 60.0), "hold", Priority.NORMAL)
    assert (second.to, second.priority, second.after) == (("reading-room",), Priority.HIGH, After("instance", 0.0))
    assert (third.disabled, third.stop) == (True, True)
    assert site.otherwise == ("full-pacs",)
    assert site.rules[0].name == "pad short patient IDs to eight digits"


def test_empty_sections() -> None:
    """A site without rules keeps everything; a section whose rules are all commented out is empty."""
    empty = settings("normalise:\nroutes:\ntests:\n")
    assert (empty.rules, empty.tests, empty.otherwise) == ((), (), "archive")


@pytest.mark.parametrize(
    ("yaml_text", "loc", "message"),
    [
        ("routes: [{to: [x]}]", ("routes", 0, "name"), "Field required"),
        ("routes: [{name: a}]", ("routes", 0, "to"), "a route needs to: and a destination (or stop: true"),
        ("routes: [{name: a, to: []}]", ("routes", 0, "to"), "a route needs to: and a destination (or stop: true"),
        ("routes: [{name: a, to: [x], when: }]", ("routes", 0, "when"), "the condition is empty"),
        ("routes: [{name: a, to: [x], edit: }]", ("routes", 0, "edit"), "edit: takes a list of edits"),
        ("routes: [{name: a, to: [x], edit: []}]", ("routes", 0, "edit"), "leave it out to edit nothing"),
        ("routes: [{name: a, to: [x], late: hold}]", ("routes", 0, "late"), "late: needs after:"),
        ("routes: [{name: a, to: [x], late: wait}]", ("routes", 0, "late"), "'wait' is none of: send, hold, ignore"),
        ("routes: [{name: a, to: [x], after: 60s}]", ("routes", 0, "after"), "'60s' is none of: instance"),
        ("routes: [{name: a, to: [x], prority: high}]", ("routes", 0, "prority"), "Extra inputs"),
        ("normalise: [{name: a}]", ("normalise", 0, "edit"), "a rule needs edit:"),
        ("normalise: [{name: a, edit: [{blank: StudyID}], hold: x}]", ("normalise", 0, "hold"), "edits or holds"),
        ("normalise: [{name: a, hold: ''}]", ("normalise", 0, "hold"), "at least 1 character"),
        (
            "normalise: [{name: a, edit: [{sett: {A: b}}]}]",
            ("normalise", 0, "edit", 0, "sett", "[key]"),
            "unknown edit",
        ),
        ("normalise: [{name: a, to: [x], edit: [{blank: PatientID}]}]", ("normalise", 0, "to"), "Extra inputs"),
        (
            "otherwise: full-pacs",
            ("otherwise",),
            "'full-pacs' is none of: archive, hold, reject, a [list of destinations]",
        ),
        ("otherwise: []", ("otherwise",), "the list of destinations is empty"),
        ("tests: [{name: a, given: {}, expect: {held: true}}]", ("tests", 0, "given"), "given: takes names and values"),
        (
            "tests: [{name: a, given: {A: 1}, expect: {held: true}}]",
            ("tests", 0, "given", "A", "[key]"),
            "DICOM keyword",
        ),
        ("tests: [{name: a, given: {Rows: 1}, expect: }]", ("tests", 0, "expect"), "expect: needs at least one of"),
        (
            "tests: [{name: a, given: {time: '18:00-19:00'}, expect: {to: []}}]",
            ("tests", 0, "given", "time"),
            "'18:00-19:00' is not a time of day such as 18:30",
        ),
        (
            "tests: [{name: a, given: {Rows: 1}, expect: {source: x}}]",
            ("tests", 0, "expect", "source", "[key]"),
            "source is a fact of the arrival",
        ),
        (
            "tests: [{name: a, given: {Rows: 1}, expect: {held: true, to: [x]}}]",
            ("tests", 0, "expect"),
            "goes nowhere and stays as it came",
        ),
        (
            "tests: [{name: a, given: {Rows: 1}, expect: {at: {x: {Rowz: 1}}}}]",
            ("tests", 0, "expect", "at", "x", "Rowz", "[key]"),
            "DICOM keyword",
        ),
    ],
)
def test_refused(yaml_text: str, loc: tuple[object, ...], message: str) -> None:
    """A mistake is refused at its place."""
    with pytest.raises(ValidationError) as refused:
        settings(yaml_text)
    (error,) = refused.value.errors()
    assert error["loc"] == loc
    assert message in error["msg"]


SCHEMA = RulesSettings.model_json_schema()


def test_json_schema_takes_a_site() -> None:
    """What the appliance takes, an editor takes too, though it reads numbers and true as such."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(yaml.safe_load(SITE), SCHEMA)


@pytest.mark.parametrize(
    "yaml_text",
    [
        "routes: [{name: a, to: [x], prority: high}]",
        "routes: [{name: a, to: [x], priority: urgent}]",
        "routes: [{name: a, to: [x], after: 60s}]",
        "routes: [{name: a, to: [x], when: {}}]",
        "routes: [{name: a, to: [x], when: {PatientID: {match: x}}}]",
        "routes: [{name: a, to: [x], when: {PatientID: {starts: x, ends: y}}}]",
        "routes: [{name: a, to: [x], when: {all: {Modality: PT}}}]",
        "routes: [{name: a, to: [x], when: {time: noon}}]",
        "normalise: [{name: a}]",
        "otherwise: drop",
        "tests: [{name: a, given: {Rows: 1}}]",
    ],
)
def test_json_schema_refuses(yaml_text: str) -> None:
    """An editor underlines what the appliance refuses."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(yaml_text), SCHEMA)


def test_hover_help() -> None:
    """Every field and every model says what it is."""
    models: list[tuple[str, Any]] = [("RulesSettings", SCHEMA), *SCHEMA["$defs"].items()]
    silent = [
        f"{name}.{key}"
        for name, model in models
        for key, field in model.get("properties", {}).items()
        if "description" not in field and "$ref" not in field
    ]
    assert silent == []
    assert [name for name, model in models if "properties" in model and "description" not in model] == []
