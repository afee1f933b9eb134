"""What a rule on arrival gave to another study or series goes back to where it came from, to the byte, or nowhere."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archive import KeyTakenError
from router.cli.application import application
from router.corrections import CorrectionError
from router.delivery import Holder
from tests.support.corrected import DEFLATED, STUDY, Site
from tests.support.data import needs_data
from tests.support.databases import Fresh

RULES = """,
  {name: one study, when: {StudyInstanceUID: "1.2.9*"}, edit: [set: {StudyInstanceUID: 1.2.1}]},
  {name: one series, when: {SeriesInstanceUID: 1.2.8}, edit: [set: {SeriesInstanceUID: 1.2.2}]}"""
CAME, OTHER, THIRD = "1.2.90", "1.2.91", "1.2.7"
SHORTER = "{keyword: StudyInstanceUID, pattern: '^1[.][0-9]', with: '2'}"


@pytest.fixture
def site(database_server: Fresh, tmp_path: Path) -> Iterator[Site]:
    """A site whose rules join studies and series; the test runs once for each database."""
    site = Site(tmp_path, database_server(tmp_path), rules=RULES)
    yield site
    site.close()


def counts(site: Site) -> dict[str, tuple[str, ...]]:
    """Series, instances and modalities of every study that is found."""
    names = "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "ModalitiesInStudy"
    return {each["StudyInstanceUID"]: tuple(each[name] for name in names) for each in site.archive.find("study", {})}


def series(site: Site) -> dict[tuple[str, str], str]:
    """The number of instances of every series that is found, by study and series."""
    found = site.archive.find("series", {})
    names = "StudyInstanceUID", "SeriesInstanceUID"
    return {(each[names[0]], each[names[1]]): each["NumberOfSeriesRelatedInstances"] for each in found}


def assert_as_received(site: Site, *studies: str) -> None:
    """Every instance of these studies lies in its study's folder with the bytes that came."""
    site.age()
    site.assert_whole()
    for uid in studies:
        for kept in site.kept(uid):
            assert hashlib.sha256(site.content(kept)).hexdigest() == kept.received_digest
            assert uid.encode() in site.content(kept)
        assert len({kept.file.rsplit("/", 1)[0] for kept in site.kept(uid)}) == 1


def remove_leftovers(site: Site) -> None:
    """As upkeep does after a while."""
    site.archive.remove_leftovers(datetime.now(UTC) + timedelta(minutes=1))


def test_a_whole_study_goes_back_to_where_it_came_from(site: Site) -> None:
    """It is found under its own UID with its own counts, and not under the rule's any more; its files have moved."""
    site.arrive(1, 2, StudyInstanceUID=CAME, Modality="PT")
    old = {kept.file.rsplit("/", 1)[0] for kept in site.kept()}
    done = site.corrector.undo(site.study_id(), resend=False)
    assert (done.instances, done.moved) == (2, {site.study_id(CAME): 2})
    assert counts(site) == {CAME: ("1", "2", "PT")}
    assert site.archive.find("study", {"PatientID": "1"})[0]["StudyInstanceUID"] == CAME
    assert (site.archive.summary().studies, site.archive.contents(site.study_id()).series) == (1, [])
    assert_as_received(site, CAME)
    assert {kept.file.rsplit("/", 1)[0] for kept in site.kept(CAME)}.isdisjoint(old)
    remove_leftovers(site)
    assert len(list(site.archive.folder.rglob("*.dcm"))) == 2
    assert {each.undone_by for each in site.archive.changes(site.study_id(CAME))} == {"anna"}
    [_, event] = site.appliance.journal.of_study(site.study_id())
    assert event["detail"] == {"instances": 2, "by": "anna", "moved": 2}
    [event] = site.appliance.journal.of_study(site.study_id(CAME))
    assert (event["kind"], event["detail"]) == ("undone", {"instances": 2, "by": "anna", "from": STUDY})
    assert site.corrector.undo(site.study_id(CAME), resend=False).instances == 0
    site.corrector.edit(site.study_id(CAME), {"PatientID": "99"}, resend=False)
    assert site.archive.patients_like({"PatientID": "2"}) == []


@needs_data
def test_files_in_every_transfer_syntax_go_back(site: Site) -> None:
    """Of compressed, deflated and big endian ones, too, every byte is back, in the folder of their own study."""
    site.take_up('"1.2.9*"}, edit: [set: {StudyInstanceUID: 1.2.1}]', '"?*"}, edit: [replace: ' + SHORTER + "]")
    syntaxes = set()
    for part, received, kept in site.arrive_in_every_syntax():
        assert kept.study_id is not None
        assert site.corrector.undo(kept.study_id, resend=False).instances == 1
        now = site.now(kept)
        assert site.content(now) == received
        assert now.study_uid != kept.study_uid
        assert str(now.study_uid).encode() in received or part.transfer_syntax_uid == DEFLATED
        assert now.file.rsplit("/", 1)[0] != kept.file.rsplit("/", 1)[0]
        syntaxes.add(part.transfer_syntax_uid)
    assert DEFLATED in syntaxes
    assert len(syntaxes) >= 12
    site.age()
    site.assert_whole()


def test_what_was_joined_is_taken_apart(site: Site) -> None:
    """Of a study joined of three each instance goes to its own, be that there or not; what was there is untouched."""
    site.arrive(1)
    site.arrive(2, StudyInstanceUID=CAME)
    site.arrive(3, 4, StudyInstanceUID=OTHER, SeriesInstanceUID="1.2.3", Modality="PT")
    site.arrive(5, StudyInstanceUID=THIRD)
    assert counts(site) == {STUDY: ("2", "4", "CT\\PT"), THIRD: ("1", "1", "CT")}
    done = site.corrector.undo(site.study_id(), resend=False)
    assert dict(done.moved) == {site.study_id(CAME): 1, site.study_id(OTHER): 2}
    one = ("1", "1", "CT")
    assert counts(site) == {STUDY: one, THIRD: one, CAME: one, OTHER: ("1", "2", "PT")}
    assert site.archive.find("study", {"Modality": "PT"})[0]["StudyInstanceUID"] == OTHER
    assert [each["StudyInstanceUID"] for each in site.archive.find("study", {"ModalitiesInStudy": "PT"})] == [OTHER]
    assert_as_received(site, STUDY, CAME, OTHER)


def test_a_series_goes_back_within_its_study(site: Site) -> None:
    """Where only the series was another one the study and its folder stay."""
    site.arrive(1)
    site.arrive(2, 3, SeriesInstanceUID="1.2.8", Modality="PT")
    assert series(site) == {(STUDY, "1.2.2"): "3"}
    done = site.corrector.undo(site.study_id(), resend=False)
    assert (done.instances, dict(done.moved)) == (3, {})
    assert series(site) == {(STUDY, "1.2.2"): "1", (STUDY, "1.2.8"): "2"}
    assert counts(site) == {STUDY: ("2", "3", "CT\\PT")}
    assert_as_received(site, STUDY)


def test_what_was_emptied_is_begun_anew(site: Site) -> None:
    """A study and a series that had lost all their instances say of the next ones what these say."""
    site.arrive(1, StudyInstanceUID=CAME, SeriesInstanceUID="1.2.8", Modality="PT", PatientID="7")
    site.corrector.undo(site.study_id(), resend=False)
    site.arrive(2, PatientID="8")
    assert counts(site) == {CAME: ("1", "1", "PT"), STUDY: ("1", "1", "CT")}
    assert site.archive.find("series", {"PatientID": "8"})[0]["Modality"] == "CT"
    site.arrive(3, StudyInstanceUID=CAME)
    assert site.corrector.undo(site.study_id(), resend=False).instances == 2
    assert counts(site) == {CAME: ("2", "2", "CT\\PT"), STUDY: ("1", "1", "CT")}
    assert_as_received(site, STUDY, CAME)


def test_a_series_without_instances_is_not_counted(site: Site) -> None:
    """A series that has lost its last instance is none when another comes."""
    site.arrive(1, SeriesInstanceUID="1.2.8", Modality="PT")
    site.corrector.undo(site.study_id(), resend=False)
    site.arrive(2, SeriesInstanceUID="1.2.5", Modality="MR")
    assert counts(site) == {STUDY: ("2", "2", "MR\\PT")}
    assert len(site.archive.contents(site.study_id()).series) == 2


def test_where_another_is_kept_nothing_changes(site: Site) -> None:
    """An instance whose own place is taken keeps the whole study as it is; no file of the attempt stays."""
    site.arrive(1, 2, StudyInstanceUID=CAME)
    site.take_up("1.2.9*", "1.2.5*")
    site.arrive(2, StudyInstanceUID=CAME)
    before, there = site.kept(), site.kept(CAME)
    with pytest.raises(KeyTakenError, match=r"1\.2\.3\.2"):
        site.corrector.undo(site.study_id(), resend=False)
    assert (site.kept(), site.kept(CAME)) == (before, there)
    assert counts(site) == {STUDY: ("1", "2", "CT"), CAME: ("1", "1", "CT")}
    remove_leftovers(site)
    assert len(list(site.archive.folder.rglob("*.dcm"))) == 3
    site.age()
    site.assert_whole()


def test_where_two_would_be_one_nothing_changes(site: Site) -> None:
    """Two that came with the same UIDs, and that rules of different days put into two series, stay where they are."""
    site.arrive(1, StudyInstanceUID=CAME)
    site.take_up(
        "SeriesInstanceUID: 1.2.8}, edit: [set: {SeriesInstanceUID: 1.2.2",
        "Modality: PT}, edit: [set: {SeriesInstanceUID: 1.2.77",
    )
    site.arrive(1, StudyInstanceUID=CAME, Modality="PT")
    before = site.kept()
    assert len(before) == 2
    with pytest.raises(KeyTakenError, match="another one has the UIDs"):
        site.corrector.undo(site.study_id(), resend=False)
    assert site.kept() == before
    assert site.archive.study_id(CAME) is None


def test_what_belonged_to_no_study_stays(site: Site) -> None:
    """What came without a study and was given one by a person cannot go back to none."""
    site.arrive(1, StudyInstanceUID="")
    [held] = site.archive.held()
    site.archive.release(held.arrival, "anna", {"StudyInstanceUID": STUDY})
    site.file_released()
    before = site.kept()
    with pytest.raises(CorrectionError, match="StudyInstanceUID is missing"):
        site.corrector.undo(site.study_id(), resend=False)
    assert site.kept() == before


def test_the_queue_follows(site: Site) -> None:
    """What is due, delivered, and folded into a receipt belongs to the study the instance is in, and is sent again."""
    site.arrive(1)
    site.arrive(2, StudyInstanceUID=CAME)
    site.deliver()
    assert site.queue.fold(datetime.now(UTC) + timedelta(seconds=5)) == 2
    site.arrive(3, 4, StudyInstanceUID=OTHER)
    [sent, _] = site.lease()
    site.settle([sent])
    done = site.corrector.undo(site.study_id(), resend=True)
    assert dict(done.resent) == {"disk": 4}
    assert [site.queue.holders(site.study_id(uid)) for uid in (STUDY, CAME)] == [[], []]
    assert site.queue.holders(site.study_id(OTHER)) == [Holder("disk", 1, True)]
    for uid, instances in ((STUDY, 1), (CAME, 1), (OTHER, 2)):
        [receipt, *_] = site.queue.receipts(site.study_id(uid))
        assert receipt["instances"] == instances
        listed = site.queue.listing(study_id=site.study_id(uid))
        assert {each.instance_id for each in listed} == {kept.row for kept in site.kept(uid)}


def test_the_command_tells_where_they_are(site: Site) -> None:
    """`study undo` names the studies the instances belong to again, for people and for programs."""
    site.arrive(1, 2, StudyInstanceUID=CAME)
    arguments = ["-c", str(site.file), "study", "undo", STUDY, "--yes", "--json"]
    done = CliRunner().invoke(application, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["moved"] == {CAME: 2}
