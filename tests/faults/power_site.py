"""A real `micropacs serve` whose data folder is a disk of its own, and what becomes of it when its power is cut.

Everything is stopped at once before a chosen call of a role, the disk is copied as it is then, and the copy is used
from there on. One study after the other goes through; a scanner tries nothing again by itself.
"""

import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from tests.faults.appliance import DESTINATIONS, yaml
from tests.faults.checker import Verdict, check
from tests.faults.powercut import copied, mounted, new_image, stands_still
from tests.faults.receiving import Receiver
from tests.faults.scanners import Scanners
from tests.faults.senders import noted
from tests.faults.studies import Study, make_study
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.ports import free_port

SEED = 3
SECONDS = 90.0


@dataclass(frozen=True)
class Moment:
    """When the power is cut: before which of its calls that change a file, counted from 1, a role is."""

    role: str
    number: int


class Site:
    """The appliance, its disk, its destinations and its scanner, in one folder."""

    def __init__(self, folder: Path, kind: str, preload: Sequence[Path]) -> None:
        """`preload` are the libraries of the appliance: one that counts calls, and what else is to befall it."""
        self._folder = folder
        self.kind = kind
        self._orders, self._calls, self._log = (folder / name for name in ("orders", "calls", "sent.jsonl"))
        self._environment = {
            "LD_PRELOAD": " ".join(map(str, preload)),
            "STOP_ORDERS": str(self._orders),
            "PYTHONDONTWRITEBYTECODE": "1",  # such files are none of the appliance's
        }
        ports = {name: free_port() for name in DESTINATIONS}
        self._yaml = yaml(ports).replace("free_space: 100MB", "free_space: 1MB")
        self._yaml = self._yaml.replace("{port}", str(port := free_port()))
        self._receivers = {name: Receiver(folder / name, name, ports[name], lambda _: None) for name in DESTINATIONS}
        self._scanners = Scanners(port, SEED, self._log)
        self._port = port
        self._places = count(1)
        self._numbers = count(1, 2)  # PET: everything to one, without the name to another
        self._disk = ExitStack()
        self.cuts: Counter[str] = Counter()  # by the call before which the power was cut
        self.image = new_image(folder / "0.img", kind)
        self.appliance = self._plugged_in()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._unplug()
        for receiver in self._receivers.values():
            receiver.close()
        self._scanners.close()

    def survives(self, *moments: Moment) -> bool:
        """Cut the power while a study comes, and by a further cut while it recovers; all is checked afterwards.

        False if the role never made so many calls for the last of them, and nothing was left to do.
        """
        study = make_study(SEED, next(self._numbers))
        is_cut = self.suffers(study, moments[0])
        for moment in moments[1:]:
            assert is_cut, f"no power cut at {moments[0]}"
            self._order(moment)
            self.appliance.begin_to_start(is_group=True)
            is_cut = self._is_cut(moment)
        if not is_cut:
            self._kill()  # the role still counts
        self.start()
        self.settle(self.acknowledged(), f"what was acknowledged to be there after {moments}")
        self.check()
        self.send(study)
        uids = self.acknowledged() | {each.uid for each in study.instances}
        self.settle(uids, f"the study to be there after {moments}")
        self.check()
        return is_cut

    def start(self) -> None:
        """Start the appliance and wait until it takes connections and its roles run."""
        self.appliance.begin_to_start(is_group=True)
        wait_until(self.appliance._up, SECONDS, "the appliance to start")

    def suffers(self, study: Study, moment: Moment) -> bool:
        """Send a study until the power is cut; False if the study is through before."""
        self._order(moment)
        scanner = threading.Thread(target=self.send, args=(study,))
        scanner.start()
        try:
            return self._is_cut(moment, scanner)
        finally:
            scanner.join()

    def send(self, study: Study) -> None:
        """As a scanner, once; what it was answered is in its log."""
        self._scanners.send(study)

    def acknowledged(self) -> set[str]:
        """The instances for which the scanner had Success."""
        return {each["uid"] for each in noted(self._log) if each["answer"] == 0}

    def settle(self, uids: set[str], what: str) -> None:
        """Wait until these are filed, and all that is there is delivered, and no file is missing, half or too many."""

        def is_settled() -> bool:
            return self._is_settled(uids) and self.appliance.waiting() == 0 and not self._unfinished()

        wait_until(is_settled, SECONDS, what)

    def verdict(self) -> Verdict:
        """What an independent look at it says; it has to be settled."""
        return check(self._log, self.appliance.data, {name: self._folder / name for name in DESTINATIONS})

    def check(self) -> Verdict:
        """Nothing acknowledged is lost, doubled, altered or misrouted."""
        verdict = self.verdict()
        assert (verdict.found, verdict.under_way, verdict.held) == ([], 0, 0)
        return verdict

    def _unfinished(self) -> list[Path]:
        """What is half; for a moment that may be a manifest that upkeep just writes."""
        return [path for room in ("spool", "archive") for path in (self.appliance.data / room / "incoming").iterdir()]

    def _order(self, moment: Moment) -> None:
        """Let the role count from now on, or from its start."""
        self._calls.write_text("")
        part = self._orders.with_suffix(".part")
        part.write_text(f"{moment.role} {moment.number} {self._calls}")
        part.replace(self._orders)

    def _is_cut(self, moment: Moment, scanner: threading.Thread | None = None) -> bool:
        """Wait until the power is cut, or all is done and it was not."""
        process = self.appliance.process
        assert process is not None

        def is_over() -> bool:
            is_there = self._is_working() if scanner is None else not scanner.is_alive()
            return self._is_reached(moment) or (is_there and self._is_written_down())

        wait_until(is_over, SECONDS, f"the power to be cut at {moment}, or all to be done")
        self._orders.unlink()
        if not self._is_reached(moment):
            return False
        wait_until(lambda: stands_still(process.pid), SECONDS, "all of it to be stopped")
        self.cuts[self._calls.read_text().split()[-1]] += 1
        copy = self._folder / f"{next(self._places)}.img"
        copied(self.image, copy)
        self._unplug()
        self.image = copy
        self.appliance = self._plugged_in()
        return True

    def _is_working(self) -> bool:
        """Whether both roles have started."""
        said = self.appliance.log.read_text()
        return "receiving  " in said and "working  " in said

    def _is_reached(self, moment: Moment) -> bool:
        """Whether the role has come to this call, and so stops or has stopped everything."""
        return len(self._calls.read_text().splitlines()) >= moment.number

    def _plugged_in(self) -> RunningAppliance:
        """The disk in a new place, and an appliance for it, with the same configuration; not started."""
        folder = self._folder / self.image.stem
        folder.mkdir()
        self._disk.enter_context(mounted(self.image, folder / "data"))
        appliance = RunningAppliance(folder, self._yaml, self._environment)
        appliance.port = self._port
        return appliance

    def _unplug(self) -> None:
        """End everything that runs, and take the disk away."""
        self._kill()
        self._disk.close()
        self.image.unlink()

    def _kill(self) -> None:
        process = self.appliance.process
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _is_settled(self, uids: set[str]) -> bool:
        """So far as can be seen without writing: whoever opens the spool synchronises its folders."""
        there = self.appliance
        if not there._has_tables():
            return False
        rows = there.sql("select sop_instance_uid, file from instances")
        states = Counter(str(state) for (state,) in there.sql("select state from deliveries"))
        return (
            uids <= {str(uid) for uid, _ in rows}
            and states == Counter({"delivered": 2 * len(rows)})
            and _files(there.data / "archive") == {str(file) for _, file in rows}
        )

    def _is_written_down(self) -> bool:
        """Whether upkeep has written every study's manifest, too; who is stopped may keep the database locked."""
        stale = "select count(*) from studies where manifest_stale"
        try:
            return self._is_settled(self.acknowledged()) and self.appliance.count(stale) == 0
        except sqlite3.OperationalError:
            return False


def _files(archive: Path) -> set[str]:
    """All but the manifests."""
    files = {path.relative_to(archive).as_posix() for path in archive.rglob("*") if path.is_file()}
    return {file for file in files if not file.endswith("/manifest.json")}
