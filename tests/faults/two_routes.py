"""Three instances at a time through two routes, while a role dies or its disk fails at a chosen call; all is checked.

Nothing may be missing, doubled or half afterwards. `MICROPACS_EVERY_POINT=1` tries every call; otherwise one by chance.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.faults.calling import Call, NoAnswerError
from tests.faults.killing import Fault, Roles, prepare
from tests.faults.studies import Study, digest, make_study
from tests.support.appliance import wait_until
from tests.support.dcmtk import storescp
from tests.support.extent import EVERY_POINT
from tests.support.figures import figure
from tests.support.part10 import read_part10

_YAML = """
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
ALONE_SECONDS = 75.0  # for a role to get over an error by itself; a manifest is left alone for 60


class Site:
    """The roles and two storage servers; one study after the other goes through."""

    def __init__(self, roles: Roles, plain: Path, edited: Path) -> None:
        self.roles = roles
        self._plain, self._edited = plain, edited
        self.pixel_bytes = 512  # of each instance to come
        self._numbers = count(3, 4)  # of these the rules change nothing on arrival, and the name in the copies
        self._sent: dict[str, str] = {}
        self.ends = 0  # of roles, by their fault
        self.restarts: list[str] = []  # the calls after whose error a role went on and did not get over it

    def goes_through(self, role: str, fault: Fault) -> bool:
        """One more study, all of it checked, with a role that is befallen; whether it was.

        One that has ended is started again, as is one that does not get over an error by itself.
        """
        study = make_study(0, next(self._numbers), pixel_bytes=self.pixel_bytes)
        self._sent |= {instance.uid: instance.sha256 for instance in study.instances}
        if self.roles.runs(role):
            self.roles.end(role)
        if not self.roles.runs(OTHER[role]):
            self.roles.begin(OTHER[role])
        if role == "work":
            self._send(study, role)
        self.roles.begin(role, fault)
        if role == "receive":
            self._send(study, role)
        is_over = self._is_written_down if role == "work" else self._is_settled
        is_alone = _comes_about(
            lambda: self._has_ended(role) or is_over(), ALONE_SECONDS if fault.error else WAIT_SECONDS
        )
        if not is_alone:
            assert fault.error, f"the study is not through, {fault}"
            self.restarts.append(f"{fault.at} {self.roles.calls()[fault.at - 1 :][:1]}")
            self.roles.end(role)
            self.roles.begin(role)
        wait_until(self._is_settled, WAIT_SECONDS, f"all to be delivered after {fault}")
        self.roles.end(role)
        if self._has_ended(role):  # while it ended, only now
            wait_until(self._is_settled, WAIT_SECONDS, f"all to be delivered after {fault}")
            self.roles.end(role)
        self._check(study)
        is_befallen = len(self.roles.calls()) >= fault.at
        assert is_befallen or is_alone, f"the study did not get through without {fault}"
        return is_befallen

    def _has_ended(self, role: str) -> bool:
        """Whether its fault ended it just now; it is started again then, and befallen by nothing any more."""
        if not self.roles.has_failed(role):
            return False
        self.ends += 1
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
                if not self._has_ended(role):
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
        stale = "select count(*) from studies where manifest_stale"
        return self.roles.has_tables() and self.roles.count(stale) == 0 and self._is_settled()

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


def befall(site: Site, role: str, *, is_halfway: bool = False, error: int = 0) -> None:
    """A study for each of its calls, or for one that is drawn; prints which."""
    if EVERY_POINT:
        number = 1
        while site.goes_through(role, Fault(number, is_halfway, error)):
            print(number, site.roles.calls()[number - 1], file=sys.stderr, flush=True)
            number += 1
        counted = ", ".join(f"{times} {call}" for call, times in sorted(Counter(site.roles.calls()).items()))
        said = f"{role} at each of n = {number - 1} calls ({counted})"
        assert number > LIKELY[role] / 2
    else:
        seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
        number = random.Random(f"{seed} {role} {is_halfway} {error}").randint(1, LIKELY[role])
        assert site.goes_through(role, Fault(number, is_halfway, error)), f"seed {seed}: {role} has no call {number}"
        said = f"seed {seed}: {role} at n = 1 call, number {number}, {site.roles.calls()[number - 1]}"
    again = ", ".join(site.restarts) or "nothing"
    figure(
        f"{said}: 0 lost, doubled, altered or misrouted; so far it ended {site.ends} times, and had to be started "
        f"again after {again}"
    )


def _comes_about(is_so: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


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


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """An appliance in parts, and its receivers."""
    prepare(folder)
    plain, edited = folder / "plain", folder / "edited"
    (folder / "site").mkdir()
    with storescp(plain) as first, storescp(edited) as second:
        roles = Roles(folder / "site", _YAML.format(plain=first, edited=second))
        try:
            roles.begin("work")  # so that no fault falls into making the tables, which is done once
            wait_until(roles.has_tables, WAIT_SECONDS, "the tables to be made")
            roles.end("work")
            yield Site(roles, plain, edited)
        finally:
            roles.stop()
