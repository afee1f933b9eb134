"""What arrives for a study after a correction of it: it gets the same, says who made it, is undone with it."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archive import Archive, ChangedMeanwhileError, Filing, Kept, Placed
from router.cli.application import application
from router.inbox import remedy
from router.ingest import filing
from router.reading import read_header
from rules import Attribute
from tests.support.corrected import DEFLATED, STUDY, Site
from tests.support.data import needs_data
from tests.support.plans import executed

LATE = {"SeriesInstanceUID": "1.2.5"}


def values(site: Site, kept: Kept, *names: str) -> list[tuple[str, ...] | None]:
    """What the kept file says."""
    header = read_header(site.archive.folder / kept.file, kept.data_set_offset or 0, kept.uids[2])
    return [header.values(Attribute.parse(name)) for name in names]


def received(site: Site, number: int, **attributes: object) -> Kept:
    """An instance that has just arrived."""
    before = site.archive.newest()
    site.arrive(number, **attributes)
    [kept] = site.archive.instances_after(before, 5)
    return kept


def shown(site: Site) -> dict[str, Any]:
    """What `study show` tells."""
    done = CliRunner().invoke(application, ["-c", str(site.file), "study", "show", STUDY, "--json"])
    assert done.exit_code == 0
    return dict(json.loads(done.stdout))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Site]:
    """An empty site on the embedded database, for what is the same on all."""
    site = Site(tmp_path)
    yield site
    site.close()


def test_a_late_series_lies_under_the_corrected_patient(site: Site) -> None:
    """One study has one patient in file, index and history, which says who corrected the late ones, and since when."""
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042", "PatientName": "Roe^Richard"}, resend=False)
    site.arrive(7, StudyInstanceUID="1.2.77")
    site.arrive(2, 3, **LATE)
    for kept in site.kept():
        assert values(site, kept, "PatientID", "PatientName", "InstitutionName") == [
            ("0042",),
            ("Roe^Richard",),
            ("NCC",),
        ]
    original = "OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID"
    assert values(site, site.kept()[-1], original) == [("1",)]
    [found] = site.archive.find("study", {"PatientID": "0042"})
    assert found["NumberOfStudyRelatedInstances"] == "3"
    assert [each["PatientName"] for each in site.archive.find("study", {"PatientID": "1"})] == ["Doe^Jane"]
    made = [each for each in site.archive.changes(site.study_id()) if each.attribute == "PatientID"]
    assert [(each.rule, each.old, each.new, each.by, each.instances) for each in made] == [
        ("by hand", "1", "0042", "anna", 1),
        ("by hand", "1", "0042", "anna", 2),
    ]
    events = [event for event in site.appliance.journal.of_study(site.study_id()) if event["kind"] == "edited"]
    attributes = ["PatientID", "PatientName"]
    assert events[1]["detail"] == {"instances": 2, "attributes": attributes, "by": "anna", "on_arrival": True}
    told = shown(site)
    assert [(each["attribute"], each["value"], each["by"]) for each in told["standing"]] == [
        ("PatientID", "0042", "anna"),
        ("PatientName", "Roe^Richard", "anna"),
    ]
    assert {change["by"] for change in told["changes"] if change["rule"] == "mark"} == {None}


def test_undone_the_late_ones_are_what_came_and_later_ones_stay_so(site: Site) -> None:
    """`undo` gives the late instances their bytes back, and ends the correction for what arrives afterwards."""
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042", "StudyDescription": "Прага"}, resend=False)
    site.arrive(2, **LATE)
    done = site.corrector.undo(site.study_id(), resend=False)
    assert (done.instances, done.is_for_later) == (2, True)
    assert all(kept.digest == kept.received_digest for kept in site.kept())
    assert {each.undone_by for each in site.archive.changes(site.study_id())} == {"anna"}
    site.arrive(3, **LATE)
    assert values(site, site.kept()[-1], "PatientID", "StudyDescription") == [("1",), None]
    assert shown(site)["standing"] == []
    assert site.corrector.undo(site.study_id(), resend=False).is_for_later is False
    site.age()
    site.assert_whole()


@needs_data
def test_in_every_transfer_syntax_the_bytes_come_back(embedded: Site) -> None:
    """A second image arrives for a corrected study, in any transfer syntax: it is corrected, and then undone."""
    syntaxes = set()
    for number, (part, first, kept) in enumerate(embedded.arrive_in_every_syntax(), start=10):
        if part.transfer_syntax_uid == DEFLATED:  # its UIDs cannot be changed here
            continue
        uid = part.sop_instance_uid.encode()
        assert kept.study_id is not None
        embedded.corrector.edit(kept.study_id, {"PatientID": "0042", "StudyDescription": "Прага"}, resend=False)
        content = first.replace(uid, uid[:-2] + b"%02d" % number)
        late = embedded.arrive_as(part, content)
        assert late is not None
        assert late.study_id == kept.study_id
        assert values(embedded, late, "PatientID", "StudyDescription") == [("0042",), ("Прага",)]
        assert embedded.corrector.undo(kept.study_id, resend=False).instances == 2
        assert [embedded.content(embedded.now(each)) for each in (kept, late)] == [first, content]
        syntaxes.add(part.transfer_syntax_uid)
    assert len(syntaxes) >= 12


def test_what_is_sent_again_is_the_same_instance(site: Site) -> None:
    """After the edit, sent as it came, early and late ones are duplicates: neither a conflict nor a second copy."""
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)
    site.arrive(2, **LATE)
    before = site.kept()
    site.arrive(1)
    site.arrive(2, **LATE)
    assert site.kept() == before
    assert site.archive.held() == []
    site.assert_whole()


def test_a_crash_while_it_is_filed_leaves_it_to_be_corrected(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Placed but not recorded, it is filed again, also when the study was corrected otherwise in between."""
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)

    def fail(*_: object) -> None:
        raise RuntimeError("killed here")

    for number, wanted in enumerate(("0042", "0043"), start=2):
        with monkeypatch.context() as patch:
            patch.setattr(site.archive, "record", fail)
            with pytest.raises(RuntimeError):
                site.arrive(number, **LATE)
        site.corrector.edit(site.study_id(), {"PatientID": wanted}, resend=False)
        site.file_all()
        assert [values(site, kept, "PatientID") for kept in site.kept()] == [[(wanted,)]] * number


def test_an_edit_between_judging_and_recording_is_not_missed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged before a correction and would be recorded after it is judged again."""
    site.arrive(1)
    place = Archive.place
    steps = (
        (2, lambda: site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False), "0042"),
        (3, lambda: site.corrector.undo(site.study_id(), resend=False), "1"),
    )
    for number, correct, wanted in steps:

        def overtaken(
            archive: Archive, filings: Sequence[Filing], *, gently: bool, correct: Callable[[], object] = correct
        ) -> list[Placed]:
            correct()
            return place(archive, filings, gently=gently)

        with monkeypatch.context() as patch:
            patch.setattr(Archive, "place", overtaken)
            with pytest.raises(ChangedMeanwhileError):
                site.arrive(number, **LATE)
        site.file_all()
        assert [values(site, kept, "PatientID") for kept in site.kept()] == [[(wanted,)]] * number


def test_the_last_correction_of_an_attribute_counts(embedded: Site) -> None:
    """Of each attribute the last value stands, whoever gave it; what changed nothing in the archive stands as well."""
    embedded.arrive(1)
    for edits in ({"PatientID": "0042", "PatientName": "Roe"}, {"(0010,0020)": "0043"}, {"PatientSex": "F"}):
        assert embedded.corrector.edit(embedded.study_id(), edits, resend=False).is_for_later
    again = embedded.corrector.edit(embedded.study_id(), {"PatientSex": "F"}, resend=False)
    assert (again.instances, again.is_for_later) == (0, False)
    late = received(embedded, 2, PatientSex="M", **LATE)
    assert values(embedded, late, "PatientID", "PatientName", "PatientSex") == [("0043",), ("Roe",), ("F",)]
    embedded.corrector.undo(embedded.study_id(), resend=False)
    same = embedded.corrector.edit(embedded.study_id(), {"PatientID": "1"}, resend=False)
    assert (same.instances, same.is_for_later) == (0, True)
    assert values(embedded, received(embedded, 3, PatientID="2", **LATE), "PatientID") == [("1",)]


@pytest.mark.parametrize("more", ["", "archive: {original_attributes: no}"])
def test_routes_see_what_the_archive_keeps(tmp_path: Path, more: str) -> None:
    """A late instance goes where an instance of the corrected patient goes, whatever rules on arrival found out."""
    asks = ", {name: ask, when: {PatientID: '0042'}, warn: never}"
    site = Site(tmp_path, more=more, rules=asks)
    site.take_up("{name: all, to: [disk]}", "{name: all, when: {PatientID: '0042'}, to: [disk]}")
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)
    site.arrive(2, **LATE, InstitutionName="NCC")
    assert [each.instance_id for each in site.queue.listing()] == [site.kept()[-1].row]
    site.close()


def test_what_only_the_corrected_patient_has_a_route_for_is_filed(tmp_path: Path) -> None:
    """With `otherwise: reject` a late instance, also sent twice, is not rejected for the patient it came with."""
    joined = ", {name: join, when: {StudyInstanceUID: '1.2.9'}, edit: [set: {StudyInstanceUID: 1.2.4}]}"
    site = Site(tmp_path, more="otherwise: reject", rules=joined)
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)
    site.take_up("{name: all, to: [disk]}", "{name: all, when: {PatientID: '0042'}, to: [disk]}")
    for _ in range(2):
        site.arrive(2, **LATE)
        assert len(site.kept()) == 2
        assert site.archive.held("rejected") == []
    with site.appliance.database.begin() as connection:  # of a study whose instances rules give to another one
        connection.exec_driver_sql("UPDATE studies SET study_instance_uid = '1.2.9'")
    site.arrive(3, StudyInstanceUID="1.2.9")
    assert len(site.archive.held("rejected")) == 1
    site.close()


def test_what_cannot_be_corrected_is_held(embedded: Site) -> None:
    """It does not go into the study with the old patient: it waits, says why, and is let in when that is undone."""
    embedded.arrive(1)
    embedded.corrector.edit(embedded.study_id(), {"PatientID": "0042"}, resend=False)
    with embedded.appliance.database.begin() as connection:
        [standing] = embedded.archive.standing(connection, embedded.study_id())
        embedded.archive.stand(
            connection, embedded.study_id(), [type(standing)("PatientID", "x" * 65, "anna", standing.at)]
        )
    embedded.arrive(2, **LATE)
    [held] = embedded.archive.held()
    assert "cannot be given a correction that stands for its study" in held.reason
    assert "micropacs study undo" in remedy(held, embedded.configuration, held.arrival).text
    embedded.corrector.undo(embedded.study_id(), resend=False)
    embedded.archive.release(held.arrival, "anna", {})
    embedded.file_released()
    assert values(embedded, embedded.kept()[-1], "PatientID") == [("1",)]


def test_where_nothing_was_corrected_nothing_is_asked(embedded: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each instance is judged once, and a study with a correction costs no statement more but for its history."""
    embedded.arrive(1)
    judged = []
    judge = filing.judge
    monkeypatch.setattr(filing, "judge", lambda *values, **more: judged.append(1) or judge(*values, **more))
    with executed(embedded.appliance.database) as before:
        embedded.arrive(2, 3)
    assert len(judged) == 2
    embedded.corrector.edit(embedded.study_id(), {"PatientID": "0042"}, resend=False)
    with executed(embedded.appliance.database) as after:
        embedded.arrive(4, 5)
    assert len(judged) == 2 + 4
    assert len(after) == len(before) + 1, "the event in the journal"
