"""Corrections of kept studies: every instance is changed and restored to the byte, the index follows, or nothing is."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from archive import Archive, ArchiveError, DamagedError, PastArrivals, Rewritten, Version
from router.cli.application import application
from router.corrections import CorrectionError
from router.reading import read_header
from router.replay.original import original
from rules import Attribute
from tests.support.arrivals import overwrite
from tests.support.corrected import DEFLATED, STUDY, Site
from tests.support.data import needs_data


@needs_data
def test_edit_then_undo_gives_every_byte_back(site: Site) -> None:
    """Of files in every transfer syntax, changed by a rule and by hand, twice: undone they are what was received."""
    syntaxes = set()
    for number, (part, received, kept) in enumerate(site.arrive_in_every_syntax(), start=10):
        assert kept.study_id is not None
        syntaxes.add(part.transfer_syntax_uid)
        for text in ("first", "second"):
            site.corrector.edit(kept.study_id, {"PatientID": text}, resend=False)
            site.corrector.edit(kept.study_id, {"PatientID": f"{number}", "StudyDescription": "Прага"}, resend=False)
            now = site.now(kept)
            header = read_header(site.archive.folder / now.file, now.data_set_offset or 0, now.uids[2])
            assert header.values(Attribute.parse("PatientID")) == (f"{number}",)
            assert header.values(Attribute.parse("StudyDescription")) == ("Прага",)
            assert site.archive.find("study", {"PatientID": f"{number}"})[0]["StudyDescription"] == "Прага"
            assert site.corrector.undo(kept.study_id, resend=False).instances == 1
            now = site.now(kept)
            assert site.content(now) == received
            assert now.digest == now.received_digest == kept.received_digest
            assert now.digest != kept.digest
    assert DEFLATED in syntaxes
    assert len(syntaxes) >= 12
    site.age()
    site.assert_whole()


def test_the_index_the_history_and_the_journal_follow(site: Site) -> None:
    """A corrected study is found by what it says now; who changed what, and that it was undone, stays written down."""
    site.arrive(1, 2)
    study_id = site.study_id()
    done = site.corrector.edit(study_id, {"PatientID": "0042", "PatientName": "Roe^Richard"}, resend=False)
    assert done.instances == 2
    [found] = site.archive.find("study", {"PatientName": "roe*"})
    assert (found["PatientID"], found["NumberOfStudyRelatedInstances"]) == ("0042", "2")
    assert site.archive.find("study", {"PatientName": "doe*"}) == []
    assert site.corrector.edit(study_id, {"PatientID": "0042"}, resend=False).instances == 0

    site.corrector.undo(study_id, resend=False)
    [found] = site.archive.find("study", {"PatientID": "1"})
    assert (found["PatientName"], site.archive.find("series", {})[0]["InstitutionName"]) == ("Doe^Jane", "")
    told = [
        (each.rule, each.attribute, each.old, each.new, each.instances, each.by, each.undone_by)
        for each in site.archive.changes(study_id)
    ]
    assert told == [
        ("mark", "InstitutionName", None, "NCC", 2, None, "anna"),
        ("by hand", "PatientID", "1", "0042", 2, "anna", "anna"),
        ("by hand", "PatientName", "Doe^Jane", "Roe^Richard", 2, "anna", "anna"),
    ]
    assert site.corrector.undo(study_id, resend=False).instances == 0
    events = [event for event in site.appliance.journal.of_study(study_id) if event["kind"] != "filed"]
    assert [event["kind"] for event in events] == ["edited", "undone"]
    assert events[0]["detail"] == {"instances": 2, "attributes": ["PatientID", "PatientName"], "by": "anna"}


def test_the_change_is_recorded_in_the_object(site: Site) -> None:
    """The Original Attributes Sequence has the old value and the time (PS3.3 C.12.1.1.9), after that of the rule."""
    site.arrive(1)
    site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)
    [kept] = site.kept()
    header = read_header(site.archive.folder / kept.file, kept.data_set_offset or 0, kept.uids[2])
    path = "OriginalAttributesSequence[1].ModifiedAttributesSequence[0].PatientID"
    assert header.values(Attribute.parse(path)) == ("1",)


def test_what_came_is_known_whatever_was_done_since(site: Site) -> None:
    """Replay and `test --from` see the header as received: edited, undone, and edited once more."""
    site.arrive(1)
    numbers = [site.kept()[0].row]

    def came() -> list[tuple[str, ...] | None]:
        [past] = PastArrivals(site.archive.database, site.archive.folder).filed(numbers)
        header = original(past)[1]
        return [header.values(Attribute.parse(name)) for name in ("PatientID", "InstitutionName")]

    for step in (
        lambda: site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False),
        lambda: site.corrector.undo(site.study_id(), resend=False),
        lambda: site.corrector.edit(site.study_id(), {"PatientID": "0043"}, resend=False),
    ):
        step()
        assert came() == [("1",), None]
        done = CliRunner().invoke(application, ["-c", str(site.file), "test", "--from", STUDY, "--json"])
        [test] = json.loads(done.stdout)["tests"]
        assert "InstitutionName" not in test["given"]
        assert test["expect"]["InstitutionName"] == "NCC"


def test_a_crash_before_the_transaction_leaves_the_old_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kept file is the old one, the new one is known as left over and goes; nothing is wrong meanwhile."""
    site.arrive(1, 2)
    before = site.kept()

    def fail(*_: object) -> None:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(site.archive, "revise", fail)
        with pytest.raises(RuntimeError):
            site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)
    assert site.kept() == before
    assert len(list(site.archive.folder.glob("??/??/*/*.dcm"))) == 4
    site.age()
    site.assert_whole()
    assert site.archive.remove_leftovers(datetime.now(UTC) + timedelta(minutes=1)) == 2
    assert len(list(site.archive.folder.glob("??/??/*/*.dcm"))) == 2
    site.assert_whole()
    assert site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False).instances == 2


def test_a_crash_after_the_transaction_leaves_the_new_one(site: Site) -> None:
    """The old file stays readable for who reads it, is no orphan, and goes later; a version that is back is kept."""
    site.arrive(1)
    [before] = site.kept()
    site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)
    assert (site.archive.folder / before.file).exists()
    assert site.archive.remove_leftovers(datetime.now(UTC) - timedelta(minutes=1)) == 0
    site.corrector.undo(site.study_id(), resend=False)
    [received] = site.kept()
    site.corrector.edit(site.study_id(), {"PatientID": "0043"}, resend=False)
    site.corrector.undo(site.study_id(), resend=False)
    assert site.kept() == [received]
    site.archive.remove_leftovers(datetime.now(UTC) + timedelta(minutes=1))
    assert [path.name for path in site.archive.folder.glob("??/??/*/*.dcm")] == [received.file.rsplit("/")[-1]]
    site.age()
    site.assert_whole()


def test_what_comes_in_meanwhile_is_corrected_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that grows while it is corrected is looked at again: no instance is left as it was."""
    site.arrive(1)
    rewrite = Archive.rewrite
    growing = [2, 3]

    def grow(archive: Archive, versions: Sequence[Version]) -> list[Rewritten]:
        if growing:
            site.arrive(growing.pop())
        return rewrite(archive, versions)

    monkeypatch.setattr(Archive, "rewrite", grow)
    assert site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False).instances == 3
    growing += [4, 5, 6]
    with pytest.raises(CorrectionError, match="changing"):
        site.corrector.edit(site.study_id(), {"PatientID": "0043"}, resend=False)
    assert site.archive.find("study", {"PatientID": "0043"}) == []


def test_two_at_once_leave_one_study(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second finds the study changed already; the file both have made is kept, also later."""
    site.arrive(1)
    rewrite = Archive.rewrite
    others = [site.corrector]

    def overtaken(archive: Archive, versions: Sequence[Version]) -> list[Rewritten]:
        if others:
            assert others.pop().undo(site.study_id(), resend=False).instances == 1
        return rewrite(archive, versions)

    monkeypatch.setattr(Archive, "rewrite", overtaken)
    assert site.corrector.undo(site.study_id(), resend=False).instances == 0
    site.archive.remove_leftovers(datetime.now(UTC) + timedelta(minutes=1))
    site.assert_whole()


def test_a_damaged_file_is_never_made_good(site: Site) -> None:
    """Where a kept file is not what was kept nothing is corrected, known to be damaged or not."""
    site.arrive(1, 2)
    kept = site.kept()
    path = site.archive.folder / kept[1].file
    content = path.read_bytes()
    overwrite(path, len(content) - 1, bytes([content[-1] ^ 1]))
    for correct in (
        lambda: site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False),
        lambda: site.corrector.undo(site.study_id(), resend=False),
    ):
        with pytest.raises((DamagedError, CorrectionError)):
            correct()
    assert site.kept() == kept
    finding = site.archive.examine(kept[1])
    assert finding is not None
    with site.appliance.database.begin() as connection:
        site.archive.quarantine(connection, [finding])
    with pytest.raises(CorrectionError, match="1 of its files are damaged"):
        site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False)


def test_a_header_that_cannot_be_read_changes_nothing(site: Site) -> None:
    """A kept file that does not begin with a header any more is told with its instance."""
    site.arrive(1, 2)
    kept = site.kept()
    overwrite(site.archive.folder / kept[1].file, (kept[1].data_set_offset or 0) + 4, b"??")
    for correct in (
        lambda: site.corrector.edit(site.study_id(), {"PatientID": "0042"}, resend=False),
        lambda: site.corrector.undo(site.study_id(), resend=False),
    ):
        with pytest.raises((CorrectionError, DamagedError)):
            correct()
    assert site.kept() == kept


def test_what_cannot_be_edited_changes_nothing(site: Site) -> None:
    """One instance whose edit cannot be made keeps the whole study as it is; so does an undo without its record."""
    site.arrive(1, 2)
    before = site.kept()
    with pytest.raises(CorrectionError, match="PatientID"):
        site.corrector.edit(site.study_id(), {"PatientID": "x" * 65}, resend=False)
    with site.appliance.database.begin() as connection:
        connection.exec_driver_sql("delete from amendments")
    with pytest.raises(CorrectionError, match="cannot be made"):
        site.corrector.undo(site.study_id(), resend=False)
    assert site.kept() == before
    assert site.archive.find("study", {"PatientID": "1"}) != []


def test_a_record_that_was_spoilt_restores_nothing(site: Site) -> None:
    """What is restored is compared with the digest it was received with, before it counts."""
    site.arrive(1)
    before = site.kept()
    with site.appliance.database.begin() as connection:
        restore = connection.exec_driver_sql("select restore from amendments").scalar()
        assert restore is not None
        place = "%s" if site.appliance.database.dialect != "sqlite" else "?"
        spoilt = bytes(restore).replace(b"\1", b"\1", 1)[:-1] + bytes([bytes(restore)[-1] ^ 1])
        connection.exec_driver_sql(f"update amendments set restore = {place}", (spoilt,))
    with pytest.raises((CorrectionError, ArchiveError)):
        site.corrector.undo(site.study_id(), resend=False)
    assert site.kept() == before
    assert site.study_id(STUDY) == before[0].study_id
