"""`micropacs held`: what it says of what waits, and what each decision does, with the filing that follows it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archive import Archive, Entry, Identity
from router.appliance import Appliance
from router.cli.application import application
from router.config import load
from router.ingest import Filer
from tests.support.arrivals import CT, origin
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

YAML = """
appliance: {data: ./data}
destinations: {pacs: {ae_title: PACS, host: 127.0.0.1, port: 11104}}
tables: {old-ids: tables/old-patient-ids.csv}
normalise:
  - {name: shorten, when: {PatientID: "DLS-*"}, edit: [replace: {keyword: PatientID, pattern: DLS-, with: ""}]}
  - {name: old, when: {StationName: DLS}, edit: [lookup: {keyword: PatientID, table: old-ids}]}
  - {name: quality, when: {StationName: QC}, hold: this scanner needs a look, contact: physics}
  - {name: stamp, when: {StationName: STAMP}, edit: [set: {InstitutionName: "{StudyDescription}"}]}
routes:
  - {name: all, when: {Modality: CT}, to: [pacs]}
otherwise: hold
"""


class Desk:
    """A site whose instances arrive and are filed by hand, with a person at the command line."""

    def __init__(self, folder: Path) -> None:
        self.table = folder / "tables" / "old-patient-ids.csv"
        self.table.parent.mkdir()
        self.table.write_text("old,new\n1,00000001\n")
        self.file = folder / "micropacs.yaml"
        self.file.write_text(YAML)
        self.appliance = Appliance.open(load(self.file))
        self.number = 0

    def arrive(self, **attributes: str) -> Entry:
        """One CT instance of study 1.2.1 in the spool, and filed."""
        self.number += 1
        uid = attributes.pop("uid", f"1.2.3.{self.number}")
        values = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2", "Modality": "CT", **attributes}
        made = data_set(SOPClassUID=CT, SOPInstanceUID=uid, **values)
        with self.appliance.spool.open(Identity(CT, uid, EXPLICIT_LITTLE_ENDIAN), origin()) as incoming:
            incoming.write(encoded(made))
            entry = self.appliance.spool.read(incoming.seal())
        self.filer().file_arrivals()
        return entry

    def filer(self) -> Filer:
        """The filing role with the configuration as it is now."""
        loaded, parts = load(self.file), self.appliance
        return Filer(parts.database, parts.spool, parts.archive, parts.queue, parts.journal, lambda: loaded)

    def run(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON of a command of `held`."""
        done = CliRunner().invoke(application, ["held", *arguments, "-c", str(self.file), "--json"])
        return done.exit_code, json.loads(done.stdout) if done.stdout else None

    def told(self, *arguments: str) -> str:
        """What a person reads, without the breaks of a narrow terminal."""
        return " ".join(CliRunner().invoke(application, ["held", *arguments, "-c", str(self.file)]).stdout.split())

    def states(self) -> dict[str, int]:
        """How many instances are in each state."""
        states = ("held", "released", "rejected", "filed")
        return {state: count for state in states if (count := len(self.appliance.archive.held(state)))}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty site."""
    desk = Desk(tmp_path)
    yield desk
    desk.appliance.close()


REMEDIES = [
    ({"PatientID": "DLS-999", "StationName": "DLS"}, "add a line for '999' to table old-ids (tables/old-patient-ids"),
    ({"StationName": "DLS"}, "PatientID is absent or empty; give it a value that the table has"),
    ({"StationName": "QC"}, "look at it; ask physics; correct what is wrong"),
    ({"StationName": "STAMP"}, "correct the rule 'stamp', then: micropacs held release"),
    ({"Modality": "SR"}, "write a route that matches it"),
    ({"StudyInstanceUID": ""}, "give it the UID it belongs under: micropacs held fix {} StudyInstanceUID=UID"),
]


def test_what_would_fix_it_is_told(desk: Desk) -> None:
    """Each reason comes with what to do next, to people and programs."""
    arrivals = [desk.arrive(**attributes).arrival for attributes, _ in REMEDIES]
    code, told = desk.run("list")
    assert code == 0
    shown = desk.told("list")
    for arrival, each, (_, text) in zip(arrivals, told, REMEDIES, strict=True):
        assert each["arrival"] == arrival
        assert text.format(arrival) in each["remedy"]
        assert text.format(arrival) in shown
        assert arrival in each["remedy"] or each["study"] in each["remedy"]


def test_another_of_the_same_uid_is_to_be_compared(desk: Desk) -> None:
    """It is said how to find the one that is kept."""
    desk.arrive(uid="1.2.9", PatientID="1")
    desk.arrive(uid="1.2.9", PatientID="2")
    _, (told,) = desk.run("list")
    assert "find --level instance SOPInstanceUID=1.2.9" in told["remedy"]


def test_a_study_is_one_line(desk: Desk) -> None:
    """Instances of one study that wait for the same thing are told once, with their number, and decided at once."""
    for _ in range(3):
        desk.arrive(StationName="QC")
    desk.arrive(StationName="QC", StudyInstanceUID="1.2.8")
    shown = desk.told("list")
    assert shown.count("this scanner needs a look") == 2
    assert "micropacs held release 1.2.1" in shown
    _, told = desk.run("list")
    assert [(each["study"], each["instances"]) for each in told] == [("1.2.1", 3)] * 3 + [("1.2.8", 1)]
    assert desk.run("release", "1.2.1", "--by", "kim") == (0, {"instances": 3})
    assert desk.filer().file_released() == 3
    assert desk.states() == {"held": 1, "filed": 3}
    assert {each.decided_by for each in desk.appliance.archive.held("filed")} == {"kim"}
    assert len(desk.appliance.queue.listing()) == 3


def test_a_line_for_the_table(desk: Desk) -> None:
    """One line, below who and when, lets go all that waited for it, in every study; what waits for another stays."""
    first = desk.arrive(PatientID="DLS-999", StationName="DLS").arrival
    desk.arrive(PatientID="999", StationName="DLS", StudyInstanceUID="1.2.8")
    other = desk.arrive(PatientID="998", StationName="DLS").arrival
    code, told = desk.run("fix", first, "--table", "old-ids", "--to", "00412877", "--by", "kim")
    assert code == 0
    assert len(told["released"]) == 2
    header, old, remark, line = desk.table.read_text().splitlines()
    assert (header, old, line) == ("old,new", "1,00000001", "999,00412877")
    assert remark.startswith("# added by kim on 2")
    assert desk.filer().file_released() == 2
    assert {each["PatientID"] for each in desk.appliance.archive.find("study", {})} == {"00412877"}
    assert [each.arrival for each in desk.appliance.archive.held()] == [other]
    desk.appliance.revisions.remember(load(desk.file), "micropacs")
    assert desk.appliance.revisions.all()[-1].by == "kim"


def test_a_line_that_is_not_wanted(desk: Desk) -> None:
    """What does not wait for the table, half a command and an empty value are refused before anything is written."""
    arrival = desk.arrive(StationName="QC").arrival
    waiting = desk.arrive(PatientID="999", StationName="DLS").arrival
    table = desk.table.read_text()
    for code, arguments in (
        (1, [arrival, "--table", "old-ids", "--to", "1"]),
        (1, [waiting, arrival, "--table", "old-ids", "--to", "1"]),
        (2, [waiting, "--table", "new-ids", "--to", "1"]),
        (2, [waiting, "--table", "old-ids"]),
        (2, [waiting, "--table", "old-ids", "--to", " "]),
        (2, [waiting, "PatientID=1", "--table", "old-ids", "--to", "1"]),
        (2, [waiting]),
        (2, ["PatientID=1"]),
    ):
        assert desk.run("fix", *arguments)[0] == code, arguments
    assert desk.table.read_text() == table
    assert desk.states() == {"held": 2}


def test_once_the_table_has_it_a_release_is_enough(desk: Desk) -> None:
    """Where somebody has written the line by hand, that is what is told."""
    arrival = desk.arrive(PatientID="999", StationName="DLS").arrival
    desk.table.write_text(desk.table.read_text() + "999,00412877\n")
    _, (told,) = desk.run("list")
    assert told["remedy"] == f"the rules as they are now let it through: micropacs held release {arrival}"


def test_who_may_be_meant(desk: Desk) -> None:
    """For an ID that no table has, patients of the archive are named with what speaks for them."""
    desk.arrive(PatientID="00000999", PatientName="HONG^GILDONG", PatientBirthDate="19600101")
    arrival = desk.arrive(
        PatientID="999", PatientName="HONG^GILDONG", StationName="DLS", StudyInstanceUID="1.2.8"
    ).arrival
    _, (told,) = desk.run("list")
    assert [(each["patient_id"], each["score"]) for each in told["candidates"]] == [("00000999", 95)]
    assert "the same number, the same name" in desk.told("list")
    assert "the same number, the same name" in desk.told("show", arrival)


def test_fixing_several_at_once(desk: Desk) -> None:
    """`held fix A B KEY=VALUE` sets it in all of them."""
    arrivals = [desk.arrive(PatientID="999", StationName="DLS").arrival for _ in range(2)]
    assert desk.run("fix", *arrivals, "PatientID=1", "--by", "lee") == (0, {"instances": 2})
    assert desk.filer().file_released() == 2
    assert [each["PatientID"] for each in desk.appliance.archive.find("study", {})] == ["00000001"]


@pytest.mark.parametrize(
    ("command", "state"),
    [(["release"], "released"), (["fix", "StudyID=7"], "released"), (["reject", "--why", "no"], "rejected")],
)
def test_one_that_is_not_held_stops_no_other(desk: Desk, command: list[str], state: str) -> None:
    """What can be done is done and counted, the others are named, and the command ends with 1."""
    first, second = (desk.arrive(StationName="QC", uid=f"1.2.3.{number}").arrival for number in (1, 2))
    gone = ["0" * 24, "f" * 24]
    code, told = desk.run(command[0], first, gone[0], second, gone[1], *command[1:])
    assert (code, told) == (1, {"instances": 2, "not_held": gone})
    assert desk.states() == {state: 2}
    arguments = ["held", command[0], *gone, *command[1:], "-c", str(desk.file)]
    done = CliRunner().invoke(application, arguments)
    assert done.exit_code == 1
    assert done.stdout.startswith("0 ")
    assert [line for line in done.stderr.splitlines() if "is not held" in line] == [
        f"{each} is not held" for each in gone
    ]


def test_a_reject_needs_a_reason(desk: Desk) -> None:
    """Without one it is a wrong command, and nothing is decided; with one it is kept with who gave it."""
    arrival = desk.arrive(StationName="QC").arrival
    assert desk.run("reject", arrival)[0] == 2
    assert desk.run("reject", arrival, "--why", " ")[0] == 2
    assert desk.states() == {"held": 1}
    assert desk.run("reject", arrival, "--why", "phantom scan", "--by", "kim")[0] == 0
    (rejected,) = desk.appliance.archive.held("rejected")
    assert (rejected.decision, rejected.decided_by) == ("phantom scan", "kim")
    assert "phantom scan" in desk.told("show", arrival)
    assert desk.run("show", "0" * 24)[0] == 1


def test_corrections_are_kept_where_another_rule_holds_it(desk: Desk) -> None:
    """They are shown with it, advice and candidates go by them, and the next release makes them first."""
    desk.arrive(uid="1.2.9", StudyInstanceUID="1.2.8", PatientID="00000042")
    entry = desk.arrive(PatientID="DLS-999", StationName="DLS")
    assert desk.run("fix", entry.arrival, "StationName=QC", "PatientID=0042")[0] == 0
    assert desk.filer().file_released() == 0
    _, (told,) = desk.run("list")
    assert (told["rule"], told["fixes"]) == ("quality", {"StationName": "QC", "PatientID": "0042"})
    assert (told["attributes"]["PatientID"], told["decision"]) == ("DLS-999", "corrected")
    for command in (["list"], ["show", entry.arrival]):
        assert "0042" in desk.told(*command)
    assert "corrected by hand, and so at the next release: PatientID=0042, StationName=QC" in desk.told("list")

    assert desk.run("fix", entry.arrival, "StationName=DLS")[0] == 0
    assert desk.filer().file_released() == 0
    _, (told,) = desk.run("list")
    assert (told["rule"], told["missing"]["key"]) == ("old", "0042")
    assert [each["patient_id"] for each in told["candidates"]] == ["00000042"]
    assert "0042" in desk.told("list")

    assert desk.run("fix", entry.arrival, "StationName=QC")[0] == 0
    assert desk.filer().file_released() == 0
    assert desk.run("release", entry.arrival)[0] == 0
    assert desk.filer().file_released() == 1
    [study] = desk.appliance.archive.find("study", {"StudyInstanceUID": "1.2.1"})
    assert study["PatientID"] == "0042"
    [made] = [each for each in desk.appliance.archive.held("filed") if each.arrival == entry.arrival]
    assert made.fixes == {"StationName": "QC", "PatientID": "0042"}


def test_corrections_are_forgotten_when_asked(desk: Desk) -> None:
    """What cannot be corrected so is held by hand, which says how to get out of it."""
    entry = desk.arrive(StationName="QC")
    assert desk.run("fix", entry.arrival, "PatientID=" + "x" * 65)[0] == 0
    assert desk.filer().file_released() == 0
    _, (told,) = desk.run("list")
    assert (told["rule"], f"micropacs held release {entry.arrival} --as-it-came" in told["remedy"]) == ("by hand", True)
    assert desk.run("release", entry.arrival, "--as-it-came")[0] == 0
    assert desk.filer().file_released() == 0
    _, (told,) = desk.run("list")
    assert (told["rule"], told["fixes"]) == ("quality", {})
    assert desk.run("release", entry.arrival)[0] == 0
    assert desk.filer().file_released() == 1


def test_what_was_received_is_no_word_of_a_command(desk: Desk) -> None:
    """Advice is pasted into a shell: a study is called by the UID it was received with only if that is one."""
    hostile = "1.2;reboot"
    entries = [desk.arrive(StationName="QC", StudyInstanceUID=hostile) for _ in range(2)]
    code, listed = desk.run("list")
    assert (code, len(listed)) == (0, 2)
    for each in listed:
        assert "reboot" not in each["remedy"]
        assert f"micropacs held release {entries[0].arrival} {entries[1].arrival}" in each["remedy"]


def test_a_value_given_by_hand_needs_no_line_in_the_table(desk: Desk) -> None:
    """Who knows the right ID gives it, and the instance is filed with it; one that the table has is translated."""
    right, old = (desk.arrive(PatientID="DLS-999", StationName="DLS").arrival for _ in range(2))
    assert desk.run("fix", right, "PatientID=00412877")[0] == 0
    assert desk.filer().file_released() == 1
    assert {each["PatientID"] for each in desk.appliance.archive.find("study", {})} == {"00412877"}
    assert desk.run("fix", old, "StudyID=7")[0] == 0
    assert desk.filer().file_released() == 0
    assert desk.run("fix", old, "PatientID=1")[0] == 0
    assert desk.filer().file_released() == 1
    filed = desk.appliance.archive.held_these([right, old])
    assert [each.state for each in filed] == ["filed", "filed"]
    [study] = desk.appliance.archive.find("study", {})
    changes = desk.appliance.archive.changes(desk.appliance.archive.study_id(study["StudyInstanceUID"]) or 0)
    assert ("old", "1", "00000001") in {(each.rule, each.old, each.new) for each in changes}


def test_a_line_for_what_somebody_else_lets_go_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is written all the same, and it is told what has become of what waited."""
    arrival = desk.arrive(PatientID="999", StationName="DLS").arrival
    release = Archive.release

    def overtaken(archive: Archive, *arguments: Any, **options: Any) -> None:
        release(archive, *arguments, **options)
        release(archive, *arguments, **options)

    monkeypatch.setattr(Archive, "release", overtaken)
    code, told = desk.run("fix", arrival, "--table", "old-ids", "--to", "00412877")
    assert (code, told["released"]) == (0, [arrival])
    assert "999,00412877" in desk.table.read_text()
