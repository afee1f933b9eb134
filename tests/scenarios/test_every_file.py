"""Every modality, transfer syntax and character set of the data, through the appliance to a PACS, to the byte."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.support.appliance import REPOSITORY, RunningAppliance, wait_until
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import dcmsend, needs_dcmtk, storescp
from tests.support.figures import figure
from tests.support.orthanc import PROGRAM, needs_orthanc, orthanc
from tests.support.part10 import data_set_of, part10_head, read_part10
from tests.support.scanning import Scanner

pytestmark = [needs_data, pytest.mark.peer, pytest.mark.xdist_group("every file")]

FOLDERS = ("modalities", "transfer-syntaxes", "charsets")
UIDS_BY_RULE = {"StudyInstanceUID": "2.25.1001", "SeriesInstanceUID": "2.25.1002"}
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{any: {{ae_title: SCANNER, host: 127.0.0.1}}}}
destinations: {{{destinations}}}
normalise:
  - name: some collections have no study
    when: {{StudyInstanceUID: {{present: false}}}}
    edit: [set: {{StudyInstanceUID: 2.25.1001, SeriesInstanceUID: 2.25.1002}}]
routes: [{{name: all, to: [{names}]}}]
"""
DESTINATION = "{}: {{ae_title: PACS, host: 127.0.0.1, port: {}, retry: {{first: 1s, longest: 1s}}}}"


NAMELESS = {"chrSQEncoding.dcm", "chrSQEncoding1.dcm"}  # without SOP UIDs, so that no C-STORE can name them


def _yaml(ports: Mapping[str, int]) -> str:
    """With these destinations, each of which gets everything."""
    destinations = ", ".join(DESTINATION.format(*each) for each in ports.items())
    return YAML.format(destinations=destinations, names=", ".join(ports))


def _distinct(folder: Path) -> dict[str, bytes]:
    """Every file as a Part 10 file in `folder`, and its data set by SOP Instance UID.

    The head says what the data set says, which is not so in all of the collections. They repeat one instance in many
    forms, too: a copy gets its last digits changed wherever it names itself.
    """
    data_sets: dict[str, bytes] = {}
    for number, path in enumerate(_deflated_first(data_files(*FOLDERS))):
        if path.name in NAMELESS:
            continue
        syntax, data_set = data_set_of(path)
        header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        uid = str(header.SOPInstanceUID)
        if uid in data_sets:
            new = f"{uid[:-4]}{number + 1000}"
            data_set, uid = data_set.replace(uid.encode(), new.encode()), new
        (folder / f"{number:04d}.dcm").write_bytes(part10_head(header.SOPClassUID, uid, syntax) + data_set)
        data_sets[uid] = data_set
    assert len(data_sets) == len(data_files(*FOLDERS)) - len(NAMELESS)
    return data_sets


def _deflated_first(files: list[Path]) -> list[Path]:
    """In a deflated data set no UID can be found by its letters, so these keep theirs."""
    return sorted(files, key=lambda path: not data_set_of(path)[0].endswith("1.99"))


def _names_itself(data_set: bytes, uid: str, syntax: str) -> bool:
    return syntax.endswith("1.99") or uid.encode() in data_set


@contextmanager
def _any_pacs(folder: Path) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """A pynetdicom peer that takes every SOP class in every transfer syntax; its port and what it said."""
    command = [sys.executable, "-m", "router.demo.peer", "--port", "0", "--ae", "PACS", "--folder", str(folder)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(json.loads(process.stdout.readline())["listening"])
    said: list[dict[str, object]] = []
    try:
        yield port, said
    finally:
        process.terminate()
        said.extend(json.loads(line) for line in process.stdout)
        process.wait(10)


@dataclass(frozen=True)
class Gone:
    """What was sent, by UID, and what became of it."""

    sent: Mapping[str, bytes]
    answers: Sequence[Mapping[str, Any]]
    unfit: Mapping[str, Mapping[str, str]]  # by destination and UID, why it is not delivered
    held: Sequence[object]
    files: Mapping[str, Path]  # of the PACS that takes everything
    at_orthanc: set[str]


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Gone:
    """Every file, sent by pynetdicom once, gone to a PACS that takes everything and, where there is one, to Orthanc."""
    folder = tmp_path_factory.mktemp("every")
    for name in ("scanner", "site"):
        (folder / name).mkdir()
    sent = _distinct(folder / "scanner")
    with ExitStack() as stack:
        port, said = stack.enter_context(_any_pacs(folder / "pacs"))
        ports = {"pacs": port}
        other = stack.enter_context(orthanc(folder / "orthanc")) if PROGRAM else None
        if other is not None:
            ports["orthanc"] = other.port
        appliance = stack.enter_context(RunningAppliance(folder / "site", _yaml(ports)))
        answers = Scanner(appliance.port, folder / "scanner").finish()
        appliance.filed(len(sent))
        wait_until(lambda: _open(appliance) == 0, 60, "every delivery to be settled")
        why = "select sop_instance_uid, reason from deliveries join instances on instances.id = instance_id"
        why += " where deliveries.state <> 'delivered' and destination = ?"
        unfit = {name: {str(uid): str(reason) for uid, reason in appliance.sql(why, name)} for name in ports}
        held = appliance.sql("select reason from held")
        at_orthanc = {other.tags(each)["SOPInstanceUID"] for each in other.instances()} if other else set()
    files = {str(line["received"]): folder / "pacs" / str(line["file"]) for line in said if "received" in line}
    return Gone(sent, answers, unfit, held, files, at_orthanc)


def test_every_file_arrives_as_it_was_sent(gone: Gone) -> None:
    """All SOP classes, transfer syntaxes and character sets reach the PACS with the very bytes the scanner sent."""
    assert [answer for answer in gone.answers if answer["status"] != 0] == []
    assert gone.unfit["pacs"] == {}
    assert gone.held == []
    assert gone.files.keys() == gone.sent.keys()
    altered = []
    for uid, data_set in gone.sent.items():
        part = read_part10(gone.files[uid])
        assert part is not None
        if part.data_set != _even(data_set):
            altered.append(uid)
            _assert_only_ruled_differs(data_set, gone.files[uid])
    figure(
        f"n = {len(gone.sent)} files: {len(gone.sent) - len(altered)} identical, {len(altered)} edited by their rule, "
        f"with 0 unintended differences"
    )
    assert len(altered) == 3, "only the three files without a study are edited"


def _even(data_set: bytes) -> bytes:
    """A data set of odd length is padded on the wire, where only even ones may go (PS3.8 E.2)."""
    return data_set + b"\0" * (len(data_set) % 2)


def _open(appliance: RunningAppliance) -> int:
    return appliance.count("select count(*) from deliveries where state in ('waiting', 'due', 'leased')")


def _assert_only_ruled_differs(before: bytes, after: Path) -> None:
    arrived = pydicom.dcmread(after)
    original = pydicom.dcmread(BytesIO(before), force=True)
    if "SOPClassUID" not in original:  # explicit VR without meta information is not guessed
        original = pydicom.filereader.read_dataset(BytesIO(before), is_implicit_VR=False, is_little_endian=True)
    for keyword, uid in UIDS_BY_RULE.items():
        assert arrived[keyword].value == uid
        assert keyword not in original
        del arrived[keyword]
    del arrived["OriginalAttributesSequence"]
    assert {element.tag for element in arrived} == {element.tag for element in original}
    assert all(arrived[element.tag] == element for element in original)


@needs_dcmtk
def test_dcmtk_at_both_ends_gets_what_it_would_have_got_directly(tmp_path: Path) -> None:
    """Dcmsend through the appliance to storescp gives the same bytes as dcmsend to storescp without it."""
    (tmp_path / "scanner").mkdir()
    _distinct(tmp_path / "scanner")
    files = sorted((tmp_path / "scanner").iterdir())
    with storescp(tmp_path / "direct", "+xa") as port:
        dcmsend(port, files, "-dn", "-nh", "-aet", "SCANNER")
    direct = _by_uid(tmp_path / "direct")
    assert len(direct) > 80, "DCMTK itself does not know some transfer syntaxes, but most"
    (tmp_path / "site").mkdir()
    with (
        storescp(tmp_path / "pacs", "+xa") as pacs,
        RunningAppliance(tmp_path / "site", _yaml({"pacs": pacs})) as appliance,
    ):
        dcmsend(appliance.port, files, "-dn", "-nh", "-aet", "SCANNER")
        appliance.filed(len(direct))
        wait_until(lambda: _open(appliance) == 0, 60, "every delivery to be settled")
    through = _by_uid(tmp_path / "pacs")
    edited = {uid for uid, data_set in through.items() if UIDS_BY_RULE["StudyInstanceUID"].encode() in data_set}
    assert direct.keys() <= through.keys()
    assert {uid for uid in direct if direct[uid] != through[uid]} <= edited


@needs_orthanc
def test_orthanc_has_every_file_it_takes_and_the_rest_is_parked(gone: Gone) -> None:
    """Two files in syntaxes it does not know and one it cannot parse are parked with the reason; all others arrive."""
    parked = gone.unfit["orthanc"]
    assert gone.at_orthanc | parked.keys() == gone.sent.keys()
    assert not gone.at_orthanc & parked.keys()
    assert sorted(parked.values()) == ["cannot understand", *["no accepted presentation context"] * 2]


def _by_uid(folder: Path) -> dict[str, bytes]:
    """Data sets by UID, without those that DCMTK garbled on sending so that command and data set disagree."""
    parts = [part for path in folder.iterdir() if (part := read_part10(path))]
    return {
        part.sop_instance_uid: part.data_set
        for part in parts
        if _names_itself(part.data_set, part.sop_instance_uid, part.transfer_syntax_uid)
        and len(part.sop_instance_uid) > 2
    }
