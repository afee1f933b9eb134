"""The same instance always becomes the same: edits made twice, in other processes, and on their own result."""

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from router.config import load
from rules import Header, Prepared, RulesError, Ruleset
from rules.edits.form import EditForm
from rules.explanation import archived
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, encoded, ruleset

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (REPOSITORY / "examples").glob("*.yaml"))
# A rule that builds on the value it changes goes on building: its condition has to say when it is enough.
GROWS = {"hospital": "series of the gamma cameras tell their station"}
EDITS = {
    "set": 'set: {StudyDescription: "{PatientID} {Modality}", "RequestAttributesSequence[0].RequestedProcedureID": RP}',
    "blank": "blank: [PatientName, RequestAttributesSequence.ScheduledProcedureStepDescription]",
    "remove": 'remove: [StationName, "(0099,xx01 SITE)"]',
    "copy": "copy: {from: PatientID, to: AccessionNumber}",
    "replace": "replace: {keyword: PatientName, pattern: '(.)a', with: '\\1'}",
    "pad": "pad: {keyword: PatientID, width: 8}",
    "prefix": "prefix: {StudyDescription: X-}",
    "suffix": "suffix: {StudyDescription: -Müller}",
    "strip": "strip: StationName",
    "upper": "upper: PatientName",
    "lower": "lower: StudyDescription",
    "truncate": "truncate: {StudyDescription: 3}",
    "lookup": "lookup: {keyword: PatientID, table: wards, missing: keep}",
    "shift_dates": "shift_dates: {}",
    "new_uids": "new_uids: yes",
    "private": "private: keep-safe",
    "anonymise": "anonymise: {keep: [patient-characteristics, safe-private], clean: [descriptors], dates: shift}",
}
PIXELS_ONLY = {"blank_pixels", "transcode"}
TABLES = {"wards": "key,ward\n12,W12\n"}
texts = st.text(st.sampled_from("aAbB1 ^-äß山\\"), max_size=12)


@st.composite
def instances(draw: st.DrawFn) -> Dataset:
    """A data set with some of the attributes that the edits and the examples look at."""
    made = data_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.128", SOPInstanceUID="1.2.3.4.5", StudyInstanceUID="1.2.3")
    choices = {
        "PatientID": st.sampled_from(["12", "1234567", "12345678", "N-12", "DLS-000417", "DLS-9", "QC1", ""]) | texts,
        "PatientName": texts,
        "Modality": st.sampled_from(["PT", "CT", "NM", "SR"]),
        "StationName": st.sampled_from(["PETCT1", " cam1", "NM-2.017"]) | texts,
        "StudyDescription": st.sampled_from(["FDG TRIAL", "Notfall: Head", "emergency", "STROKE"]) | texts,
        "SeriesDescription": texts | st.text("ab ß", min_size=60, max_size=64),
        "StudyDate": st.sampled_from(["20240131", "", "19000101"]),
        "ImageType": st.just(["ORIGINAL", "PRIMARY"]),
        "PatientAge": st.just("052Y"),
    }
    for keyword, values in choices.items():
        if draw(st.booleans()):
            setattr(made, keyword, draw(values))
    if draw(st.booleans()):
        item = Dataset()
        item.ScheduledProcedureStepDescription = draw(texts)
        item.ScheduledProcedureStepStartDate = "20240131"
        made.RequestAttributesSequence = [item]
    if draw(st.booleans()):
        made.private_block(0x0099, "SITE", create=True).add_new(1, "LO", draw(texts))
    return made


@cache
def example(name: str) -> Ruleset:
    """The rules of an example."""
    return load(REPOSITORY / "examples" / f"{name}.yaml", {"RESEARCH_SECRET": "of this trial only"}).ruleset


def copying(names: list[str]) -> Ruleset:
    """A route with these edits."""
    listed = "".join(f"\n      - {EDITS[name]}" for name in names)
    return ruleset(f"routes:\n  - name: copy\n    edit:{listed}\n    to: [there]", TABLES)


def outcome(rules: Ruleset, data: bytes) -> Prepared | str:
    """The copy that the route makes, or why it makes none."""
    try:
        return rules.prepare("copy", Header.scan(data, EXPLICIT_LITTLE_ENDIAN), arrival())
    except RulesError as error:
        return str(error)


def test_every_edit_is_here() -> None:
    """No edit of the header is left out."""
    assert set(EditForm.__annotations__) - PIXELS_ONLY == EDITS.keys()


@settings(max_examples=80, deadline=None)
@given(made=instances(), names=st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=4))
def test_edits_are_repeatable(made: Dataset, names: list[str]) -> None:
    """The same edits of one instance make the same bytes and UID, by the same rules again and by rules read anew."""
    data = encoded(made)
    rules = copying(names)
    first = outcome(rules, data)
    assert outcome(rules, data) == first
    assert outcome(copying(names), data) == first


@pytest.mark.parametrize("name", sorted(EDITS))
def test_an_edit_does_something(name: str) -> None:
    """Each of the edits changes an instance that has what it is for, so that what is repeated is not nothing."""
    made = data_set(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.128",
        SOPInstanceUID="1.2.3.4.5",
        StudyInstanceUID="1.2.3",
        StudyDate="20240131",
        Modality="PT",
        PatientID="12",
        PatientName="Baba^Ada",
        StudyDescription="FDG Trial",
        StationName=" cam1",
    )
    made.private_block(0x0099, "SITE", create=True).add_new(1, "LO", "a note")
    prepared = outcome(copying([name]), encoded(made))
    assert isinstance(prepared, Prepared)
    assert prepared.splice is not None


SCRIPT = """
import sys
from tests.rules.test_repeatable import digest
print(digest(sys.stdin.buffer.read()))
"""


def digest(data: bytes) -> str:
    """Of all that three edits make of an instance."""
    return hashlib.sha256(repr(outcome(copying(["set", "private", "anonymise"]), data)).encode()).hexdigest()


def test_other_processes_make_the_same() -> None:
    """A copy is the same in whatever process it is made, however that orders its sets."""
    made = data_set(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.128",
        SOPInstanceUID="1.2.3.4.5",
        PatientID="12",
        PatientName="Doe^Jane",
        Modality="PT",
        StudyDescription="Jane Doe, born 19600131, ID 12",
        PatientBirthDate="19600131",
        RequestAttributesSequence=[data_set(RequestedProcedureDescription="for Jane")],
    )
    data = encoded(made)
    assert isinstance(outcome(copying(["set", "private", "anonymise"]), data), Prepared)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=data,
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        timeout=120,
        env=os.environ | {"PYTHONHASHSEED": "1"},
    )
    assert done.stdout.decode().strip() == digest(data)


@pytest.mark.parametrize("name", EXAMPLES)
@settings(max_examples=50, deadline=None)
@given(made=instances(), source=st.data())
def test_normalising_the_normalised_changes_nothing(name: str, made: Dataset, source: st.DataObject) -> None:
    """An instance that comes back as the archive keeps it is kept as it is, but for the rule that is named above."""
    rules = example(name)
    came = arrival(source=source.draw(st.sampled_from([*sorted(rules.sources), "dste", None])))
    header = Header.scan(encoded(made), EXPLICIT_LITTLE_ENDIAN)
    decision = rules.decide(header, came)  # what is held is kept as it came, by the same rules as before
    again = rules.decide(archived(header, decision), came)
    assert {change.rule for change in again.changes} <= {GROWS.get(name)}
    outgrew = decision.held is None and again.held is not None and again.held.rule == GROWS.get(name)
    if not again.changes and not outgrew:
        assert again.splice is None
        assert (again.dispatches, again.held) == (decision.dispatches, decision.held)


def test_what_builds_on_its_own_value_grows() -> None:
    """A text put before a value is put before it again: that is what the condition of such a rule is for."""
    made = data_set(StationName="CAM1", SeriesDescription="BONE")
    came = arrival(source="gamma-cameras")
    rules = example("hospital")
    header = Header.scan(encoded(made), EXPLICIT_LITTLE_ENDIAN)
    again = rules.decide(archived(header, rules.decide(header, came)), came)
    assert [(change.rule, change.new) for change in again.changes] == [(GROWS["hospital"], "CAM1 CAM1 BONE")]
