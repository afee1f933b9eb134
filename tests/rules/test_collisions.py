"""Edits against edits, and rules against rules: what is told, and what is left alone."""

import pytest

from rules import analyse
from tests.support.rules import settings

NORMALISE = "normalise: [%s]"
ROUTES = "routes: [%s]"
SET = "{name: %s, when: {%s}, edit: [{set: {InstitutionName: %s}}]}"


def told(yaml: str) -> list[str]:
    """The messages of an analysis, in the order they are told."""
    return [finding.message for finding in analyse(settings(yaml))]


TOLD = [
    (
        NORMALISE % f"{SET % ('a', 'Modality: CT', 'X')}, {SET % ('b', 'source: s', 'Y')}",
        (
            "InstitutionName gets two values, 'X' by the rule 'a' and 'Y' by 'b', which may both match: "
            "the later one counts"
        ),
    ),
    (
        NORMALISE % f"{SET % ('a', 'InstitutionName: Z', 'X')}, {SET % ('b', 'InstitutionName: X', 'Y')}",
        (
            "InstitutionName gets two values, 'X' by the rule 'a' and 'Y' by 'b', which may both match: "
            "the later one counts"
        ),
    ),
    (
        NORMALISE % f"{SET % ('a', 'Modality: CT', 'X')}, {{name: b, edit: [{{blank: InstitutionName}}]}}",
        "InstitutionName, written by the rule 'a', is in vain: 'b' below blanks it",
    ),
    (
        NORMALISE % "{name: a, edit: [{upper: StationName}, {set: {StationName: Z}}]}",
        "the rule 'a' writes StationName and then sets it: the first is in vain",
    ),
    (
        NORMALISE % "{name: a, edit: [{set: {StationName: Z}}, {copy: {from: StudyID, to: '(0008,1010)'}}]}",
        "the rule 'a' writes StationName and then sets it: the first is in vain",
    ),
    (
        ROUTES % "{name: a, to: [x], edit: [{set: {PatientName: Z}}, {anonymise: basic}]}",
        "the rule 'a' writes PatientName and then anonymises it: the first is in vain",
    ),
    (
        ROUTES
        % "{name: a, to: [x], edit: [{set: {StationName: A}}]}, {name: b, to: x, edit: [{set: {StationName: B}}]}",
        (
            "for 'x' StationName gets two values, 'A' by the rule 'a' and 'B' by 'b', which may both match: "
            "the edits of the first one count"
        ),
    ),
    (
        ROUTES % "{name: a, when: {Modality: CT}, to: x, edit: [{anonymise: basic}]}, {name: b, to: [y, x]}",
        "'x' gets anonymised instances by the rule 'a' and identified ones by the rule 'b'",
    ),
    (
        "otherwise: [x]\n" + ROUTES % "{name: a, when: {Modality: CT}, to: x, edit: [{anonymise: basic}]}",
        "'x' gets anonymised instances by the rule 'a' and identified ones by otherwise",
    ),
]
SILENT = [
    NORMALISE % f"{SET % ('a', 'source: s', 'X')}, {SET % ('b', 'source: t', 'Y')}",
    NORMALISE % f"{SET % ('a', 'source: s', 'X')}, {SET % ('b', 'Modality: CT', 'X')}",
    NORMALISE
    % f"{SET % ('a', 'source: s', 'X')}, {{name: b, when: {{Modality: CT}}, edit: [{{blank: InstitutionName}}]}}",
    NORMALISE % f"{SET % ('a', 'source: s', 'X')}, {{name: b, disabled: yes, edit: [{{blank: InstitutionName}}]}}",
    # what is looked at before it is replaced was not in vain
    NORMALISE % "{name: a, edit: [{set: {StationName: Z}}, {set: {StudyID: '{StationName}'}}, {blank: StationName}]}",
    NORMALISE % "{name: a, edit: [{set: {StationName: Z}}, {set: {StationName: '{StationName}1'}}]}",
    NORMALISE % "{name: a, edit: [{set: {StationName: Z}}, {suffix: {StationName: '1'}}]}",
    NORMALISE
    % "{name: a, edit: [{set: {StationName: Z}}]}, {name: b, when: {StationName: Z}, edit: [{set: {StudyID: '1'}}]}, "
    "{name: c, edit: [{blank: StationName}]}",
    NORMALISE % "{name: a, edit: [{lookup: {keyword: PatientID, table: t}}, {set: {PatientID: Z}}]}",
    # the pseudonym is made from the patient ID
    ROUTES % "{name: a, to: [x], edit: [{set: {PatientID: Z}}, {anonymise: basic}]}",
    ROUTES % "{name: a, to: [x], edit: [{set: {PatientName: Z}}]}, {name: b, to: y, edit: [{set: {PatientName: Y}}]}",
    ROUTES % "{name: a, when: {Modality: CT}, stop: yes, to: [x], edit: [{set: {StationName: A}}]}, "
    "{name: b, to: x, edit: [{set: {StationName: B}}]}",
]


@pytest.mark.parametrize(("yaml", "message"), TOLD)
def test_told(yaml: str, message: str) -> None:
    """What two edits do against each other is told once, by the names of the rules."""
    assert told(yaml) == [message]


@pytest.mark.parametrize("yaml", SILENT)
def test_silent(yaml: str) -> None:
    """Edits that cannot meet, agree, or are looked at in between are no matter."""
    assert told(yaml) == []


def test_told_at_the_edit() -> None:
    """The place is that of the edit."""
    (finding,) = analyse(settings(NORMALISE % "{name: a, edit: [{upper: StudyID}, {blank: StudyID}]}"))
    assert finding.loc == ("normalise", 0, "edit", 0)
