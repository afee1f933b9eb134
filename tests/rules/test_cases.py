"""The tests that stand in the configuration: they pass when they should, and say in words why they do not."""

import pytest

from rules import run_tests
from tests.support.rules import ruleset

RULES = """
normalise:
  - name: pad
    when: {PatientID: {matches: '\\d{1,7}'}}
    edit: [{pad: {keyword: PatientID, width: 8, with: "0"}}]
  - name: unknown IDs wait
    when: {source: dls}
    edit: [{lookup: {keyword: PatientID, table: ids, missing: hold}}]
routes:
  - name: PET
    when: {Modality: PT}
    edit: [{blank: PatientName}, {set: {StationName: "{InstitutionName}"}}]
    to: [full-pacs]
  - name: night
    when: {time: "18:00-07:00", weekday: [sat, sun]}
    to: [night]
  - name: multi
    when: {ImageType: DERIVED}
    to: [derived]
otherwise: reject
tests:
  - name: one
    given: %s
    expect: %s
"""
TABLES = {"ids": "old,new\n00000001,9\n"}

PASSING = [
    ('{Modality: PT, PatientID: "1234567"}', '{to: [full-pacs], PatientID: "01234567"}'),
    ('{Modality: PT, PatientID: "1234567"}', "{held: false, rejected: false, StudyID: null}"),
    ('{Modality: PT, PatientID: ""}', "{PatientID: null}"),
    ("{Modality: PT, PatientID: null}", "{PatientID: null}"),
    ('{source: dls, Modality: PT, PatientID: "999"}', "{held: true}"),
    ('{source: dls, Modality: PT, PatientID: "1"}', '{to: full-pacs, PatientID: "9"}'),
    ("{Modality: CT}", "{rejected: true, to: []}"),
    ('{Modality: CT, time: "23:00", weekday: sunday}', "{to: [night]}"),
    (r"{ImageType: 'DERIVED\PRIMARY'}", r"{to: [derived], ImageType: [DERIVED, PRIMARY]}"),
    (r"{ImageType: [ORIGINAL, DERIVED]}", r"{to: [derived], ImageType: 'ORIGINAL\DERIVED'}"),
    (
        "{Modality: PT, PatientName: DOE^J, InstitutionName: NCC}",
        "{PatientName: DOE^J, at: {full-pacs: {PatientName: null, StationName: NCC}}}",
    ),
    ("{Modality: pt, StationName: longer than its 16 characters}", "{to: [full-pacs], Modality: pt}"),
    ("{Modality: PT, PatientName: 山田^太郎}", "{PatientName: 山田^太郎}"),
    ("{Modality: PT, TransferSyntaxUID: 1.2.840.10008.1.2.4.90}", "{TransferSyntaxUID: 1.2.840.10008.1.2.4.90}"),
    (
        '{"RequestAttributesSequence[0].StudyID": A, "RequestAttributesSequence[1].StudyID": B, Modality: PT}',
        "{RequestAttributesSequence.StudyID: [A, B]}",
    ),
    ('{Modality: PT, "RequestAttributesSequence[0].ScheduledProcedureStepID": S1, Rows: "128"}', '{Rows: "128"}'),
]

FAILING = [
    ("{Modality: PT}", "{to: [night]}", ["to: expected night, but it goes to full-pacs by 'PET'"]),
    (
        "{Modality: CT}",
        "{to: [night]}",
        ["rejected by otherwise: no route matched, and otherwise is reject", "to: expected night, but it goes nowhere"],
    ),
    ('{Modality: PT, PatientID: "1"}', '{PatientID: "1"}', ["PatientID: expected '1', but it is '00000001'"]),
    ("{Modality: PT}", '{PatientID: "1"}', ["PatientID: expected '1', but it is absent"]),
    ('{Modality: PT, StudyID: "1"}', "{StudyID: null}", ["StudyID: expected nothing, but it is '1'"]),
    ("{Modality: PT}", "{held: true}", ["not held; it goes to full-pacs by 'PET'"]),
    ("{Modality: PT}", "{rejected: true}", ["not rejected; it goes to full-pacs by 'PET'"]),
    (
        "{Modality: PT}",
        "{at: {night: {StudyID: null}}}",
        ["at night: nothing goes there; it goes to full-pacs by 'PET'"],
    ),
    ('{"RequestAttributesSequence[1].StudyID": B}', "{held: false}", ["given cannot be made: RequestAttributesSeq"]),
    ("{Modality: PT, Rows: many}", "{held: false}", ["given cannot be made: Rows"]),
]


@pytest.mark.parametrize(("given", "expect"), PASSING)
def test_passes(given: str, expect: str) -> None:
    """What is so passes."""
    (result,) = run_tests(ruleset(RULES % (given, expect), TABLES, original_attributes=True))
    assert result.failures == []
    assert result.passed


@pytest.mark.parametrize(("given", "expect", "failures"), FAILING)
def test_fails(given: str, expect: str, failures: list[str]) -> None:
    """What is not so fails, with what was expected and what is."""
    (result,) = run_tests(ruleset(RULES % (given, expect), TABLES))
    assert not result.passed
    assert len(result.failures) == len(failures)
    assert all(actual.startswith(said) for actual, said in zip(result.failures, failures, strict=True)), result.failures


def test_an_edit_that_fails_at_delivery() -> None:
    """A copy whose edits cannot be made fails the test, with the reason."""
    given, expect = "{Modality: PT}", "{at: {full-pacs: {PatientName: null}}}"
    (result,) = run_tests(ruleset(RULES % (given, expect), TABLES))
    assert len(result.failures) == 1
    assert result.failures[0].startswith("at full-pacs: held at delivery: ")
