"""SIGKILL at each system call of a role that changes a file, while three instances go through two routes.

Nothing is missing, doubled or half afterwards. `MICROPACS_EVERY_POINT=1` tries every call; otherwise some by chance.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest

from tests.faults.calling import Call, NoAnswerError
from tests.faults.killing import Death, Roles, needs_compiler, prepare
from tests.faults.studies import Study, digest, make_study
from tests.support.appliance import wait_until
from tests.support.dcmtk import needs_dcmtk, storescp
from tests.support.part10 import read_part10

pytestmark = [needs_compiler, needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(7200)]

YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{room2: {{ae_title: ROOM2, host: 127.0.0.1}}}}
destinations:
  plain: {{ae_title: PLAIN, host: 127.0.0.1, port: {plain}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
  edited: {{ae_title: EDITED, host: 127.0.0.1, port: {edited}, retry: {{first: 1s, factor: 1, longest: 1s}}}}
routes:
  - {{name: as it is, to: [plain]}}
  - {{name: without its name, edit: [blank: [PatientName]], to: [edited]}}
"""
OTHER = {"receive": "work", "work": "receive"}
LIKELY = {"receive": 8, "work": 100}  # calls that are made at least; what is drawn is drawn from them
WAIT_SECONDS = 60.0


class Site:
    """The roles and two storage servers; one study after the other goes through."""

    def __init__(self, roles: Roles, plain: Path, edited: Path) -> None:
        self.roles = roles
        self._plain, self._edited = plain, edited
        self._numbers = count(3, 4)  # of these the rules change nothing on arrival, and the name in the copies
        self._sent: dict[str, str] = {}
        self._deaths = 0

    def goes_through(self, role: str, death: Death) -> bool:
        """One more study, all of it checked, with a role that dies and is started again; whether it did die."""
        deaths = self._deaths
        study = make_study(0, next(self._numbers))
        self._sent |= {instance.uid: instance.sha256 for instance in study.instances}
        if self.roles.runs(role):
            self.roles.end(role)
        if not self.roles.runs(OTHER[role]):
            self.roles.begin(OTHER[role])
        if role == "work":
            self._send(study, role)
        self.roles.begin(role, death)
        if role == "receive":
            self._send(study, role)
        is_over = self._is_written_down if role == "work" else self._is_settled
        wait_until(lambda: self._has_died(role) or is_over(), WAIT_SECONDS, f"the study, {death}")
        wait_until(self._is_settled, WAIT_SECONDS, f"all to be delivered after {death}")
        self.roles.end(role)
        if self._has_died(role):  # while it ended, only now
            wait_until(self._is_settled, WAIT_SECONDS, f"all to be delivered after {death}")
            self.roles.end(role)
        self._check(study)
        return self._deaths > deaths

    def _has_died(self, role: str) -> bool:
        """Whether it was killed just now; it is started again then, and dies of nothing any more."""
        if not self.roles.is_killed(role):
            return False
        self._deaths += 1
        self.roles.begin(role)
        return True

    def _send(self, study: Study, role: str) -> None:
        """As a scanner: again and again until all are acknowledged."""
        left, deadline = list(study.instances), time.monotonic() + WAIT_SECONDS
        while left:
            assert time.monotonic() < deadline, "the scanner cannot get its study through"
            try:
                call = Call(self.roles.port, study.source, left[0].sop_class_uid)
                while left and call.store(left[0]) == 0:
                    left.pop(0)
                call.release()
            except NoAnswerError:
                if not self._has_died(role):
                    time.sleep(0.05)

    def _is_settled(self) -> bool:
        """Whether all is filed and delivered, and no file is missing, half or too many."""
        roles, number = self.roles, len(self._sent)
        return (
            roles.has_tables()
            and roles.count("select count(*) from instances") >= number
            and roles.count("select count(*) from deliveries where state = 'delivered'") >= 2 * number
            and roles.count("select count(*) from deliveries where state <> 'delivered'") == 0
            and roles.waiting() == 0
            and _files(roles.data / "archive") == {file for (file,) in roles.sql("select file from instances")}
        )

    def _is_written_down(self) -> bool:
        """Whether upkeep has written every study's manifest, too."""
        return self._is_settled() and self.roles.count("select count(*) from studies where manifest_stale") == 0

    def _check(self, study: Study) -> None:
        """By plain SQL and files alone: each instance once and as it came; at both receivers, as its route says."""
        archive = self.roles.data / "archive"
        rows = self.roles.sql("select sop_instance_uid, received_digest, file from instances")
        assert Counter(str(uid) for uid, *_ in rows) == Counter(self._sent.keys())
        assert {uid: received for uid, received, _ in rows} == self._sent
        queued = self.roles.sql("select instance_id, destination from deliveries")
        assert len(queued) == len(set(queued)) == 2 * len(self._sent)
        sent = {instance.uid: instance.sha256 for instance in study.instances}
        assert _digests(archive / str(file) for uid, _, file in rows if uid in sent) == sent
        plain, edited = (_copies(folder) for folder in (self._plain, self._edited))
        assert plain.keys() == edited.keys() == self._sent.keys()
        assert _digests(plain[uid] for uid in sent) == sent
        expected = {instance.uid: instance.to["research"] for instance in study.instances}
        assert expected != sent
        assert _digests(edited[uid] for uid in sent) == expected, "a copy is not as its route says"


def _files(archive: Path) -> set[str]:
    """All but the manifests."""
    files = {path.relative_to(archive).as_posix() for path in archive.rglob("*") if path.is_file()}
    return {file for file in files if not file.endswith("/manifest.json")}


def _digests(paths: Iterable[Path]) -> Mapping[str, str]:
    """SHA-256 of each file's data set by SOP instance UID."""
    return {part.sop_instance_uid: digest(part.data_set) for path in paths if (part := read_part10(path))}


def _copies(folder: Path) -> Mapping[str, Path]:
    """The files of a receiver by SOP instance UID, after which `storescp` names them."""
    return {path.name.partition(".")[2]: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An appliance in parts, and its receivers."""
    folder = tmp_path_factory.mktemp("killed")
    prepare(folder)
    plain, edited = folder / "plain", folder / "edited"
    (folder / "site").mkdir()
    with storescp(plain) as first, storescp(edited) as second:
        roles = Roles(folder / "site", YAML.format(plain=first, edited=second))
        try:
            yield Site(roles, plain, edited)
        finally:
            roles.stop()


@pytest.mark.parametrize("is_halfway", [False, True], ids=["before", "half-way"])
@pytest.mark.parametrize("role", OTHER)
def test_role_killed_at_a_call(site: Site, role: str, is_halfway: bool) -> None:
    """Whichever call it dies at, started again it brings each instance to the archive and to both receivers."""
    if os.environ.get("MICROPACS_EVERY_POINT"):
        began, number = time.monotonic(), 1
        while site.goes_through(role, Death(number, is_halfway)):
            number += 1
        counted = ", ".join(f"{times} {call}" for call, times in sorted(Counter(site.roles.calls()).items()))
        print(f"{role}: killed at each of {number - 1} in {time.monotonic() - began:.0f} s; last run: {counted}")
        assert number > LIKELY[role] / 2
        return
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    number = random.Random(f"{seed} {role} {is_halfway}").randint(1, LIKELY[role])
    assert site.goes_through(role, Death(number, is_halfway)), f"seed {seed}: {role} has no call {number}"
    print(f"seed {seed}: {role} died at {number}, {site.roles.calls()[-1]}")
