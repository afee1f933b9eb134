"""Two scanners that send one study at the same time, and two people under one patient ID: nothing is lost or merged."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from archive import Database
from router.appliance import utc_now
from router.delivery import Queue
from tests.faults.calling import Call
from tests.faults.receiving import Receiver
from tests.faults.senders import noted
from tests.faults.studies import CT, Instance, Patient, digest, make_instance
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.figures import figure
from tests.support.part10 import read_part10
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

QUIET_SECONDS = 3.0
PACE_SECONDS = 0.12  # between two instances of a scanner: the study takes longer than it has to be quiet
A_SERIES = 20
SHARED, STUDY, OTHER_STUDY = "2.25.79", "2.25.80", "2.25.81"
ANNA = Patient("Moser^Anna", "00004711", "19500101")
BERTA = Patient("Huber^Berta", "00004711", "19771224")
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{room1: {{ae_title: ROOM1, host: 127.0.0.1}}, room2: {{ae_title: ROOM2, host: 127.0.0.1}}}}
destinations:
  now: {{ae_title: NOW, host: 127.0.0.1, port: {now}}}
  quiet: {{ae_title: QUIET, host: 127.0.0.1, port: {quiet}}}
routes:
  - {{name: at once, to: [now]}}
  - {{name: when quiet, after: study quiet {seconds:g}s, to: [quiet]}}
archive: {{free_space: 100MB}}
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAppliance]:
    """An appliance with two destinations, one of which waits for the study's end."""
    folder = tmp_path_factory.mktemp("scanners")
    (folder / "site").mkdir()
    ports = {name: free_port() for name in ("now", "quiet")}
    receivers = [Receiver(folder / name, name, port, lambda _: None) for name, port in ports.items()]
    try:
        with RunningAppliance(folder / "site", YAML.format(**ports, seconds=QUIET_SECONDS)) as running:
            yield running
    finally:
        for receiver in receivers:
            receiver.close()


def _series(number: int, patient: Patient, study: str) -> list[Instance]:
    return [
        make_instance(study, f"{study}.{number}", f"{study}.{number}.{index}", patient) for index in range(A_SERIES)
    ]


def _scan(appliance: RunningAppliance, seconds: float = 0.0, **plan: list[Instance]) -> None:
    """Each scanner sends its own in turn with the others, instance by instance, so many seconds apart."""
    meeting = threading.Barrier(len(plan))
    answers: list[int] = []

    def scan(title: str, instances: list[Instance]) -> None:
        call = Call(appliance.port, title, CT)
        for instance in instances:
            meeting.wait(60)
            answers.append(call.store(instance))
            time.sleep(seconds)
        call.release()

    scanners = [threading.Thread(target=scan, args=each) for each in plan.items()]
    for scanner in scanners:
        scanner.start()
    for scanner in scanners:
        scanner.join(120)
    assert answers == [0] * sum(map(len, plan.values()))


def _is_whole(appliance: RunningAppliance, *instances: Instance) -> None:
    """Each was filed once as it was sent, and each destination got it so once."""
    sent = Counter((each.uid, each.sha256) for each in instances)
    uids = {each.uid for each in instances}
    for name in ("now", "quiet"):
        ledger = appliance.folder.parent / name / "copies.jsonl"
        wait_until(lambda ledger=ledger: _copies(ledger, uids).total() >= sent.total(), 60, f"{name} to be served")
        assert _copies(ledger, uids) == sent, f"{name} has something else"
    rows = appliance.sql("select sop_instance_uid, file from instances")
    parts = [read_part10(appliance.data / "archive" / str(file)) for uid, file in rows if uid in uids]
    kept = Counter((part.sop_instance_uid, digest(part.data_set)) for part in parts if part)
    assert kept == sent


def _copies(ledger: Path, uids: set[str]) -> Counter[tuple[str, str]]:
    return Counter((each["uid"], each["sha256"]) for each in noted(ledger) if each["uid"] in uids)


def _receipts(appliance: RunningAppliance, study: str) -> list[tuple[object, ...]]:
    """What the hourly folding makes of the deliveries of a study."""
    database = Database(f"sqlite:///{appliance.data / 'micropacs.db'}")
    try:
        Queue(database, "test", utc_now).fold(utc_now())
    finally:
        database.dispose()
    query = "select destination, instances, outcome from receipts where study_id = ? order by 1"
    return appliance.sql(query, *appliance.sql("select id from studies where study_instance_uid = ?", study)[0])


def test_one_study_from_two_scanners_at_once_is_whole(appliance: RunningAppliance) -> None:
    """Each with a series, and both with a third one in turns: found, filed, and sent whole when it is quiet."""
    first, second, third = (_series(number, ANNA, SHARED) for number in (1, 2, 3))
    one = [each for pair in zip(first, third, strict=True) for each in pair]
    other = [each for pair in zip(second, third[1:] + third[:1], strict=True) for each in pair]
    _scan(appliance, PACE_SECONDS, ROOM1=one, ROOM2=other)  # of the third series each instance twice
    sent = [*first, *second, *third]
    _is_whole(appliance, *sent)
    found = appliance.json("find", "--level", "instance", f"StudyInstanceUID={SHARED}", "--limit", "1000")
    assert isinstance(found, list)
    assert sorted(each["SOPInstanceUID"] for each in found) == sorted(each.uid for each in sent)
    figure(f"two scanners at once: {len(found)} instances found of n = {len(sent)} sent")
    counts = "select series, instances, modalities from studies where study_instance_uid = ?"
    assert appliance.sql(counts, SHARED) == [(3, len(sent), "CT")]
    series = "select instances from series where series_instance_uid like ?"
    assert appliance.sql(series, f"{SHARED}.%") == [(A_SERIES,)] * 3
    [(released,)] = appliance.sql("select distinct due_since from deliveries where destination = 'quiet'")
    [(last,)] = appliance.sql("select max(filed_at) from instances")
    quiet = datetime.fromisoformat(str(released)) - datetime.fromisoformat(str(last))
    figure(f"n = {len(sent)} released at once, {quiet.total_seconds():.2f} s after the last instance was filed")
    assert quiet.total_seconds() >= QUIET_SECONDS, "sent before it was quiet"
    wait_until(lambda: not _under_way(appliance), 30, "all answers to be entered")
    assert _receipts(appliance, SHARED) == [(name, len(sent), "delivered") for name in ("now", "quiet")]


def _under_way(appliance: RunningAppliance) -> int:
    return appliance.count("select count(*) from deliveries where state <> 'delivered'")


def test_two_people_with_one_patient_id_are_not_merged(appliance: RunningAppliance) -> None:
    """Each study shows its own name and birth date, nothing is altered; one study for both is told of, with both."""
    anna, berta = _series(1, ANNA, STUDY), _series(1, BERTA, OTHER_STUDY)
    also = _series(2, BERTA, STUDY)  # as from a scanner at which the patient was not changed
    _scan(appliance, ROOM1=anna, ROOM2=berta)
    wait_until(lambda: appliance.waiting() == 0, 60, "all to be filed")
    _scan(appliance, ROOM2=also)
    _is_whole(appliance, *anna, *berta, *also)
    found = appliance.json("find", f"PatientID={ANNA.id}", f"StudyInstanceUID={STUDY}\\{OTHER_STUDY}")
    assert isinstance(found, list)
    shown = {each["StudyInstanceUID"]: (each["PatientName"], each["PatientBirthDate"]) for each in found}
    assert shown == {STUDY: (ANNA.name, ANNA.birth_date), OTHER_STUDY: (BERTA.name, BERTA.birth_date)}
    [one] = appliance.json("find", f"PatientID={ANNA.id}", f"PatientName={BERTA.name}")  # type: ignore[misc]
    assert one["StudyInstanceUID"] == OTHER_STUDY
    shown = appliance.json("study", "show", STUDY)
    assert isinstance(shown, dict)
    people = {each["PatientName"]: each["instances"] for each in shown["patients"]}
    assert people == {ANNA.name: A_SERIES, BERTA.name: A_SERIES}
    warned = appliance.json("status")
    assert isinstance(warned, dict)
    assert [(each["study"], each["rule"]) for each in warned["warnings"]] == [(STUDY, None)]
