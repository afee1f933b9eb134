"""Filing: what is sealed becomes archive, index and queue in one transaction, once, whatever happens in between."""

import errno
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archive import Entry, Identity, Origin, drafts, reading
from archive.files import sync_file
from archive.rawfile import RawFile
from router.appliance import Appliance
from router.config import Configuration, load
from router.delivery import Kind, Outcome, Settlement, State
from router.ingest import Filer, judgement, pace, warnings_since
from rules import Header
from tests.support.arrivals import CT, origin
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

YAML = """
appliance: {data: ./data}
sources: {scanner: {ae_title: GE_DSTE, host: 10.1.1.11}}
destinations:
  pacs: {ae_title: PACS, host: 127.0.0.1, port: 11104}
  station: {ae_title: STATION, host: 127.0.0.1, port: 11105}
tables: {ids: ids.csv}
normalise:
  - {name: pad, when: {PatientID: {matches: '\\d{1,7}'}}, edit: [pad: {keyword: PatientID, width: 8, with: "0"}]}
  - {name: old, when: {PatientID: {starts: OLD}}, edit: [lookup: {keyword: PatientID, table: ids}]}
routes:
  - {name: all, when: {Modality: CT}, to: [pacs]}
  - {name: quiet, when: {Modality: CT}, after: study quiet 30s, to: [station]}
otherwise: hold
"""


LARGE = b"\xe0\x7f\x10\0OW\0\0" + (5 << 20).to_bytes(4, "little") + bytes(5 << 20)  # pixel data


def content(uid: str, **attributes: object) -> bytes:
    """The data set of a CT instance of one study; what is None is left out."""
    values = {
        "SOPClassUID": CT,
        "SOPInstanceUID": uid,
        "StudyInstanceUID": "1.2.1",
        "SeriesInstanceUID": "1.2.2",
        "Modality": "CT",
        "PatientID": "1234567",
        **attributes,
    }
    return encoded(data_set(**{keyword: value for keyword, value in values.items() if value is not None}))


class Site:
    """An appliance without processes: spool, archive and queue of one configuration, filed by hand."""

    def __init__(self, folder: Path) -> None:
        (folder / "ids.csv").write_text("old,new\nOLD1,00000001\n")
        self.file = folder / "micropacs.yaml"
        self.file.write_text(YAML)
        self.configuration: Configuration = load(self.file)
        self.appliance = Appliance.open(self.configuration, lambda: datetime.now(UTC))
        self.filer = self.new_filer()

    def new_filer(self) -> Filer:
        """As after a restart."""
        parts = self.appliance
        return Filer(parts.database, parts.spool, parts.archive, parts.queue, parts.journal, lambda: self.configuration)

    def arrive(self, number: int = 1, more: bytes = b"", **attributes: object) -> Entry:
        """One sealed CT instance of one study; `more` is what follows the attributes."""
        uid = f"1.2.3.{number}"
        return self.arrive_as(content(uid, **attributes) + more, uid, origin())

    def arrive_as(self, content: bytes, uid: str, came_from: Origin) -> Entry:
        """One sealed CT instance with this data set."""
        with self.appliance.spool.open(Identity(CT, uid, EXPLICIT_LITTLE_ENDIAN), came_from) as incoming:
            incoming.write(content)
            return self.appliance.spool.read(incoming.seal())

    def deliveries(self) -> list[tuple[str, State]]:
        """Destination and state of every delivery."""
        return [(each.destination, each.state) for each in self.appliance.queue.listing()]

    def waiting(self) -> int:
        """How many entries the spool holds."""
        return self.appliance.spool.backlog().count


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty site."""
    site = Site(tmp_path)
    yield site
    site.appliance.close()


def test_an_instance_is_filed_normalised_and_queued(site: Site) -> None:
    """The index has the normalised ID, the queue one delivery a destination, the spool nothing."""
    site.arrive()
    assert site.filer.file_arrivals() == 1
    assert site.appliance.archive.find("study", {})[0]["PatientID"] == "01234567"
    assert sorted(site.deliveries()) == [("pacs", State.DUE), ("station", State.WAITING)]
    assert site.waiting() == 0
    study_id = site.appliance.archive.study_id("1.2.1")
    assert study_id is not None
    [change] = site.appliance.archive.changes(study_id)
    assert (change.rule, change.attribute, change.old, change.new) == ("pad", "PatientID", "1234567", "01234567")
    assert [event["kind"] for event in site.appliance.journal.of_study(study_id)] == ["filed"]


def test_a_crash_before_the_spool_is_cleared_files_nothing_twice(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that was filed and is still in the spool is only removed: no second row, no second delivery."""
    site.arrive()
    with monkeypatch.context() as patch:
        patch.setattr(site.appliance.spool, "remove", lambda _: None)
        site.filer.file_arrivals()
    assert site.waiting() == 1
    site.new_filer().file_arrivals()
    assert site.waiting() == 0
    assert len(site.deliveries()) == 2
    assert len(site.appliance.archive.find("instance", {"StudyInstanceUID": "1.2.1"})) == 1


def test_a_crash_before_the_transaction_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose transaction fails stays in the spool and is filed whole the next time."""
    site.arrive(1)
    site.arrive(2)

    def fail(*_: object) -> None:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(site.appliance.journal, "write", fail)
        with pytest.raises(RuntimeError):
            site.filer.file_arrivals()
    assert site.waiting() == 2
    assert site.deliveries() == []
    site.new_filer().file_arrivals()
    assert len(site.deliveries()) == 4
    assert site.waiting() == 0


def test_the_same_bytes_twice_are_one_instance_and_one_delivery(site: Site) -> None:
    """A scanner that sends again after a lost answer doubles nothing, in one batch or in two."""
    site.arrive()
    site.arrive()
    site.filer.file_arrivals()
    site.filer.file_arrivals()
    site.arrive()
    site.filer.file_arrivals()
    assert site.waiting() == 0
    assert len(site.deliveries()) == 2
    assert site.appliance.archive.held() == []


def test_the_same_uid_with_other_content_is_held_and_the_first_kept(site: Site) -> None:
    """Nothing is overwritten: the archive keeps the first, the second waits for a person and is not sent."""
    site.arrive()
    site.arrive(PatientID="7654321")
    site.filer.file_arrivals()
    site.filer.file_arrivals()
    assert site.appliance.archive.find("study", {})[0]["PatientID"] == "01234567"
    [held] = site.appliance.archive.held()
    assert "other content" in held.reason
    assert len(site.deliveries()) == 2


PACS = Origin(None, "PACS", "MICROPACS", "127.0.0.1", datetime(2026, 11, 22, 10, 31, tzinfo=UTC))


def test_what_comes_back_as_we_sent_it_is_known(site: Site) -> None:
    """The archive's own bytes, normalised as they are, come back without a second instance, delivery or hold."""
    site.arrive()
    site.filer.file_arrivals()
    [instance_id] = site.appliance.archive.select({"SOPInstanceUID": "1.2.3.1"})
    kept = site.appliance.archive.stored([instance_id])[instance_id]
    sent = kept.path.read_bytes()[kept.data_set_offset :]
    assert b"01234567" in sent
    site.arrive_as(sent, "1.2.3.1", PACS)
    site.filer.file_arrivals()
    assert site.waiting() == 0
    assert site.appliance.archive.held() == []
    assert len(site.deliveries()) == 2
    assert site.appliance.archive.summary().instances == 1


def test_what_comes_back_changed_is_held_and_says_where_it_was_sent(site: Site) -> None:
    """Another content from a destination that was sent the study tells so; before it was sent, it is any conflict."""
    site.arrive()
    site.filer.file_arrivals()
    uids = {"SOPInstanceUID": "1.2.3.1", "StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    for number, edited in enumerate(("FIRST", "SECOND")):
        content = encoded(data_set(SOPClassUID=CT, Modality="CT", StationName=edited, **uids))
        site.arrive_as(content, "1.2.3.1", PACS)
        site.filer.file_arrivals()
        if number == 0:
            [leased] = site.appliance.queue.lease("pacs", 1)
            outcome = Outcome(Kind.DELIVERED, 0, "")
            at = datetime.now(UTC)
            site.appliance.queue.settle(
                [Settlement(leased.delivery_id, leased.token, outcome, at, 0.1, "ab" * 32, 100)]
            )
    unsent, returned = site.appliance.archive.held()
    assert unsent.reason == "the archive holds another instance with this SOP Instance UID and other content"
    assert returned.reason == (
        f"{unsent.reason}; it comes from destination 'pacs', which was sent this study: does it send back what it gets?"
    )
    assert len(site.deliveries()) == 2


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"StudyInstanceUID": None}, "StudyInstanceUID is missing"),
        ({"SeriesInstanceUID": ""}, "SeriesInstanceUID is missing"),
        ({"StudyInstanceUID": "../../etc"}, "StudyInstanceUID is not a UID"),
        ({"PatientID": "OLD9"}, "ids"),
        ({"Modality": "SR"}, "otherwise is hold"),
    ],
)
def test_what_cannot_be_filed_is_held_with_the_reason(site: Site, attributes: dict[str, object], reason: str) -> None:
    """Acknowledged, kept, visible, and never sent."""
    site.arrive(**attributes)
    site.filer.file_arrivals()
    [held] = site.appliance.archive.held()
    assert reason in held.reason
    assert held.path.exists()
    assert site.deliveries() == []
    assert site.waiting() == 0


def test_what_is_in_hold_already_is_not_held_twice(site: Site) -> None:
    """The same bytes sent again, in one batch or later, and after a person decided, add nothing to the hold."""
    first = site.arrive(PatientID="OLD9")
    site.arrive(PatientID="OLD9")
    while site.waiting():
        site.filer.file_arrivals()
    assert [held.arrival for held in site.appliance.archive.held()] == [first.arrival]
    site.appliance.archive.release(first.arrival, "anna", {"PatientID": "OLD1"})
    site.filer.file_released()
    site.arrive(PatientID="OLD9")
    site.filer.file_arrivals()
    assert site.appliance.archive.held() == []
    assert site.waiting() == 0
    assert len(site.deliveries()) == 2


@pytest.mark.parametrize(("sending_seconds", "begun_before_the_end"), [(3600.0, 0), (0.0, 2)])
def test_who_is_sending_gets_the_disk_first(
    site: Site, monkeypatch: pytest.MonkeyPatch, sending_seconds: float, begun_before_the_end: int
) -> None:
    """The files of a batch wait for their turn at the disk while somebody is sending, and no longer."""
    begun: list[RawFile] = []
    synchronised: list[RawFile] = []
    monkeypatch.setattr(drafts, "start_to_sync", begun.append)
    monkeypatch.setattr(drafts, "sync_file", lambda file: (sync_file(file), synchronised.append(file)))
    monkeypatch.setattr(pace, "SENDING_SECONDS", sending_seconds)
    site.arrive(1)
    site.arrive(2)
    assert site.filer.file_arrivals() == 2
    assert len(begun) == begun_before_the_end
    assert len(synchronised) == 2


def test_a_header_that_cannot_be_read_is_held(site: Site) -> None:
    """A data set cut in its header is not filed, and not lost."""
    with site.appliance.spool.open(Identity(CT, "1.2.3", EXPLICIT_LITTLE_ENDIAN), origin()) as incoming:
        incoming.write(encoded(data_set(SOPClassUID=CT, SOPInstanceUID="1.2.3", StudyDescription="X" * 40))[:-11])
        incoming.seal()
    site.filer.file_arrivals()
    assert len(site.appliance.archive.held()) == 1


def test_a_fixed_instance_goes_through_the_rules(site: Site) -> None:
    """After `held fix` the corrected header is normalised, filed and routed, and the hold is empty."""
    entry = site.arrive(PatientID="OLD9")
    site.filer.file_arrivals()
    site.appliance.archive.release(entry.arrival, "anna", {"PatientID": "OLD1"})
    assert site.filer.file_released() == 1
    assert site.appliance.archive.find("study", {})[0]["PatientID"] == "00000001"
    assert len(site.deliveries()) == 2
    assert site.appliance.archive.held() == []
    assert not list((site.appliance.archive.folder / "hold").iterdir())
    assert site.filer.file_released() == 0


def test_what_is_released_unmended_is_held_again(site: Site) -> None:
    """A release asks the rules again; if they still say no it waits again, once, and its file stays."""
    entry = site.arrive(PatientID="OLD9")
    site.filer.file_arrivals()
    site.appliance.archive.release(entry.arrival, "anna", {})
    site.filer.file_released()
    [held] = site.appliance.archive.held()
    assert held.path.exists()
    assert site.filer.file_released() == 0


def test_what_no_route_matched_can_be_released_into_the_archive(site: Site) -> None:
    """With `otherwise: hold`, a person's release files the instance and sends it nowhere."""
    entry = site.arrive(Modality="SR")
    site.filer.file_arrivals()
    site.appliance.archive.release(entry.arrival, "anna", {})
    assert site.filer.file_released() == 1
    assert len(site.appliance.archive.find("study", {})) == 1
    assert site.deliveries() == []


def test_a_batch_sees_one_configuration(site: Site) -> None:
    """The configuration is asked for once a batch, and its revision stands with what it decided."""
    asked = []
    before = site.configuration

    def configuration() -> Configuration:
        asked.append(1)
        return before

    parts = site.appliance
    filer = Filer(parts.database, parts.spool, parts.archive, parts.queue, parts.journal, configuration)
    for number in range(5):
        site.arrive(number + 1)
    filer.file_arrivals()
    assert len(asked) == 1
    study_id = parts.archive.study_id("1.2.1")
    assert study_id is not None
    assert {event["revision"] for event in parts.journal.of_study(study_id)} == {before.revision}


def test_a_source_has_the_name_of_the_configuration_it_is_filed_under(site: Site) -> None:
    """An association that began before a source was renamed goes by the rules that know it by its new name."""
    site.arrive(1)
    site.file.write_text(YAML.replace("{scanner:", "{renamed:").replace("{Modality: CT}, to", "{source: renamed}, to"))
    site.configuration = load(site.file)
    site.filer.file_arrivals()
    assert ("pacs", State.DUE) in site.deliveries()
    study_id = site.appliance.archive.study_id("1.2.1")
    assert study_id is not None
    assert [event["source"] for event in site.appliance.journal.of_study(study_id)] == ["renamed"]


def _break(patch: pytest.MonkeyPatch, error: OSError, arrival: str) -> None:
    """Let the entry of this arrival, in a segment or in a file of its own, fail when it is read."""
    read_header, read = judgement.read_header, reading.Reading.read

    def failing_file(path: Path, *rest: Any) -> Header:
        if path.stem == arrival:
            raise error
        return read_header(path, *rest)

    def failing_segment(segment: Any, entry: Any) -> bytes:
        if entry.arrival == arrival:
            raise error
        return read(segment, entry)

    patch.setattr(judgement, "read_header", failing_file)
    patch.setattr(reading.Reading, "read", failing_segment)


@pytest.mark.parametrize("more", [b"", LARGE], ids=["in a segment", "in a file"])
def test_an_entry_the_disk_does_not_give_back_stops_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    """An I/O error in one spool entry sets that one aside, and it comes back when it can be read again."""
    bad, good = site.arrive(1, more), site.arrive(2)
    with monkeypatch.context() as patch:
        _break(patch, OSError(errno.EIO, "Input/output error"), bad.arrival)
        while site.filer.file_arrivals():
            pass
    found = site.appliance.archive.find("instance", {"StudyInstanceUID": "1.2.1"})
    assert [each["SOPInstanceUID"] for each in found] == [good.identity.sop_instance_uid]
    assert (site.waiting(), site.appliance.spool.backlog().unreadable) == (0, 1)
    assert site.appliance.spool.readmit() == 1
    assert site.filer.file_arrivals() == 1
    assert len(site.appliance.archive.find("instance", {"StudyInstanceUID": "1.2.1"})) == 2


def test_an_entry_that_fails_while_it_is_copied_stops_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rule changes an instance its pixels are read too; an error there sets only this one aside."""
    bad, good = site.arrive(1), site.arrive(2)
    read = drafts._read

    def failing(entry: Entry, start: int) -> Iterator[bytes | memoryview]:
        if entry.arrival == bad.arrival:
            raise entry.unreadable(OSError(errno.EIO, "Input/output error"))
        return read(entry, start)

    with monkeypatch.context() as patch:
        patch.setattr(drafts, "_read", failing)
        while site.filer.file_arrivals():
            pass
    found = site.appliance.archive.find("instance", {"StudyInstanceUID": "1.2.1"})
    assert [each["SOPInstanceUID"] for each in found] == [good.identity.sop_instance_uid]


@pytest.mark.parametrize("more", [b"", LARGE], ids=["in a segment", "in a file"])
def test_a_shortage_of_the_process_sets_nothing_aside(site: Site, monkeypatch: pytest.MonkeyPatch, more: bytes) -> None:
    """Too many open files say nothing of an entry: it stays in the spool for the next time."""
    entry = site.arrive(1, more)
    with monkeypatch.context() as patch:
        _break(patch, OSError(errno.EMFILE, "Too many open files"), entry.arrival)
        with pytest.raises(OSError, match="Too many"):
            site.filer.file_arrivals()
    assert site.filer.file_arrivals() == 1


def test_a_released_instance_the_disk_does_not_give_back_is_held_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An I/O error in one released instance stops no other released one, and a person sees why."""
    bad, good = site.arrive(1, PatientID="OLD9"), site.arrive(2, PatientID="OLD9")
    site.filer.file_arrivals()
    for each in (bad, good):
        site.appliance.archive.release(each.arrival, "somebody", {"PatientID": "00000009"})
    with monkeypatch.context() as patch:
        _break(patch, OSError(errno.EIO, "Input/output error"), bad.arrival)
        while site.filer.file_released():
            pass
    [held] = site.appliance.archive.held()
    assert (held.arrival, held.reason) == (bad.arrival, "the file cannot be read: Input/output error")
    assert len(site.appliance.archive.find("instance", {"StudyInstanceUID": "1.2.1"})) == 1


GATE = """
  - {name: frames, when: {not: {same_frame_of_reference: [PT, CT]}}, hold: PET and CT do not lie upon each other}
"""


def gated(site: Site) -> None:
    """From now on PET and CT must have one frame of reference."""
    site.file.write_text(YAML.replace("routes:", GATE.strip("\n") + "\nroutes:"))
    site.configuration = load(site.file)


def ct(site: Site, number: int, series: str, frame: str | None, **more: object) -> None:
    """A CT image with a place."""
    site.arrive(
        number,
        SeriesInstanceUID=series,
        FrameOfReferenceUID=frame,
        ImagePositionPatient=["0", "0", "0"],
        **more,
    )


@pytest.mark.parametrize("at_a_time", [1, 128])
def test_series_of_different_frames_are_held(site: Site, at_a_time: int) -> None:
    """The series that comes second and has another frame waits, in the same batch and in the next; no other does."""
    gated(site)
    ct(site, 1, "1.2.2", "1.9.1")
    ct(site, 2, "1.2.3", "1.9.1", Modality="PT")
    ct(site, 3, "1.2.4", "1.9.2", Modality="PT")
    ct(site, 4, "1.2.4", "1.9.2", Modality="PT", StudyInstanceUID="1.2.99")
    ct(site, 5, "1.2.5", None, Modality="PT")
    ct(site, 6, "1.2.6", "1.9.3", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    ct(site, 7, "1.2.7", "1.9.4", Modality="MR")
    while site.waiting():
        site.filer.file_arrivals(at_a_time)
    held = [each for each in site.appliance.archive.held() if each.rule == "frames"]
    reason = "PET and CT do not lie upon each other; "
    assert [(each.identity.sop_instance_uid, each.reason.removeprefix(reason)) for each in held] == [
        ("1.2.3.3", "series of CT and PT have 2 different values of FrameOfReferenceUID"),
        ("1.2.3.5", "a series of PT has no FrameOfReferenceUID"),
    ]


def test_a_kept_series_that_cannot_be_read_agrees_with_none(site: Site) -> None:
    """Where the file of a filed series is gone, what comes for the study is held and stops nothing; so is no header."""
    gated(site)
    ct(site, 1, "1.2.2", "1.9.1")
    site.filer.file_arrivals()
    (kept,) = site.appliance.archive.stored(site.appliance.archive.select({"StudyInstanceUID": "1.2.1"})).values()
    kept.path.unlink()
    ct(site, 2, "1.2.2", "1.9.1")
    with site.appliance.spool.open(Identity(CT, "1.2.3.3", EXPLICIT_LITTLE_ENDIAN), origin()) as incoming:
        incoming.write(b"no header at all")
        incoming.seal()
    assert site.filer.file_arrivals() == 2
    reasons = {each.identity.sop_instance_uid: each.reason for each in site.appliance.archive.held()}
    assert reasons["1.2.3.2"].endswith("a series of what cannot be read has no FrameOfReferenceUID")
    assert set(reasons) == {"1.2.3.2", "1.2.3.3"}


def test_a_person_lets_another_frame_by(site: Site) -> None:
    """Released once, it is filed, and its frame counts for what comes after."""
    gated(site)
    ct(site, 1, "1.2.2", "1.9.1")
    ct(site, 2, "1.2.3", "1.9.2", Modality="CT")
    site.filer.file_arrivals()
    (held,) = site.appliance.archive.held()
    site.appliance.archive.release(held.arrival, "kim", {})
    assert site.filer.file_released() == 1
    assert len(site.appliance.archive.find("instance", {"StudyInstanceUID": "1.2.1"})) == 2
    ct(site, 3, "1.2.2", "1.9.1")
    site.filer.file_arrivals()
    assert [each.identity.sop_instance_uid for each in site.appliance.archive.held()] == ["1.2.3.3"]


def test_what_rules_warn_of_is_written_once_a_study(site: Site) -> None:
    """The instances are filed and sent; the journal has each rule once a study, in whatever batches they come."""
    site.file.write_text(
        YAML.replace(
            "normalise:", "normalise:\n  - {name: gate, when: {Modality: PT, suv_computable: no}, warn: no SUV}"
        ).replace("when: {Modality: CT}, to: [pacs]", "to: [pacs], warn: seen"),
        encoding="utf-8",
    )
    site.configuration = load(site.file)
    for number in (1, 2):
        site.arrive(number, Modality="PT", PatientName="Doe^Jane")
    site.arrive(
        3,
        StudyInstanceUID="1.2.9",
        Modality="PT",
        CorrectedImage=["ATTN", "DECY"],
        DecayCorrection="START",
        Units="GML",
    )
    assert site.filer.file_arrivals() == 3
    site.arrive(4, Modality="PT", CorrectedImage="ATTN")
    assert site.filer.file_arrivals() == 1
    assert len(site.deliveries()) == 4
    journal, archive = site.appliance.journal, site.appliance.archive

    def told(uid: str) -> list[tuple[str, str]]:
        events = journal.of_study(archive.study_id(uid) or 0)
        return [(each["detail"]["rule"], each["detail"]["reason"]) for each in events if each["kind"] == "warned"]

    reason = "no SUV; CorrectedImage has no ATTN; CorrectedImage has no DECY"
    assert [(rule, why[: len(reason)]) for rule, why in told("1.2.1")] == [("all", "seen"), ("gate", reason)]
    assert told("1.2.9") == [("all", "seen")]
    [first, *_] = warnings_since(journal, datetime.now(UTC) - timedelta(minutes=1))
    assert (first.source, first.revision) == ("scanner", site.configuration.revision)
    assert "Doe" not in str(told("1.2.1"))
    assert len(warnings_since(journal, datetime.now(UTC) + timedelta(minutes=1))) == 0
