"""The demonstration: one whole PET/CT study through a real appliance, every party a process, real DICOM over TCP."""

import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from router.appliance import Appliance
from router.config import load
from router.demo.children import Child, DemoError
from router.demo.phantom import write_phantom
from router.demo.proof import Sent, differs_as_ruled, kept_instances, received_unaltered, sent_files
from router.demo.research import anonymised, held_for_research, research_files
from router.part10 import NotPartTenError, find_files, part_ten

START_SECONDS = 60.0
STALL_SECONDS = 90.0
REFUSALS = 2
SECRET = "of the demonstration"  # noqa: S105 - of made-up patients

CONFIGURATION = """\
# written by `micropacs demo`
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data}}
sources:
  petct: {{ae_title: DEMO_PETCT, host: 127.0.0.1}}
destinations:
  workstation: {{ae_title: XELERIS, host: 127.0.0.1, port: {workstation}}}
  full-pacs:
    ae_title: HOSPITAL
    host: 127.0.0.1
    port: {pacs}
    retry: {{first: 2s, factor: 2, longest: 10s}}
  research: {{type: folder, path: ./research}}
normalise:
  - name: pad short patient IDs to eight digits
    when: {{PatientID: {{matches: '\\d{{1,7}}'}}}}
    edit:
      - pad: {{keyword: PatientID, width: 8, with: "0"}}
routes:
  - name: today's scans to the workstation at once
    when: {{source: petct}}
    priority: high
    to: [workstation]
  - name: everything to the full PACS when the study is quiet
    after: study quiet 2s
    to: [full-pacs]
  - name: to research without names
    priority: low
    edit:
      - anonymise: {{keep: [patient-characteristics, safe-private], dates: shift, secret: {secret}}}
    to: [research]
otherwise: archive
"""


@dataclass(slots=True)
class Row:
    """One line of the table at the end; `complete` says whether nothing is missing."""

    who: str
    got: int
    of: int
    seconds: float
    how: str
    complete: bool


@dataclass(slots=True)
class Demo:
    """The parties and the folder they work in."""

    folder: Path
    console: Console
    slices: int
    children: list[Child] = field(default_factory=list)

    def run(self, study: Path | None) -> list[Row]:
        """Do it, and prove it; raises `DemoError` when a party does not play its part."""
        files = self._files(study)
        sent = sent_files(files)
        try:
            with self._progress() as progress:
                return self._play(study or self.folder / "scanner", sent, progress)
        finally:
            for child in reversed(self.children):
                child.end()

    def _files(self, study: Path | None) -> list[Path]:
        if study is None:
            with self._progress() as progress:
                task = progress.add_task("a phantom PET/CT study is made", total=3 * self.slices)
                phantom = write_phantom(
                    self.folder / "scanner",
                    slices=self.slices,
                    seed=secrets.token_hex(8),
                    progress=lambda done: progress.update(task, completed=done),
                )
            return list(phantom.files)
        files = [path for path in find_files([study]) if _is_part_ten(path)]
        if not files:
            raise DemoError(f"there is no DICOM file in {study}")
        return files

    def _play(self, folder: Path, sent: dict[str, Sent], progress: Progress) -> list[Row]:
        workstation = self._peer("workstation", "XELERIS")
        pacs = self._peer("full-pacs", "HOSPITAL", "--refuse-first", str(REFUSALS))
        configuration = self.folder / "micropacs.yaml"
        port = _free_port()
        configuration.write_text(
            CONFIGURATION.format(port=port, workstation=_port(workstation), pacs=_port(pacs), secret=SECRET),
            encoding="utf-8",
        )
        appliance = self._child("router.cli", "appliance", "serve", "-c", str(configuration), json_lines=False)
        appliance.wait_for(lambda: _answers(port), START_SECONDS, "the appliance starts")
        begun = time.monotonic()
        scanner = self._child(
            "router.demo.scanner",
            "scanner",
            "--to",
            f"127.0.0.1:{port}",
            "--called",
            "MICROPACS",
            "--calling",
            "DEMO_PETCT",
            str(folder),
        )
        watched = {
            "scanner sends": lambda: len({line["sop_instance_uid"] for line in scanner.said("sop_instance_uid")}),
            "workstation gets": lambda: len({line["received"] for line in workstation.said("received")}),
            "full PACS gets": lambda: len({line["received"] for line in pacs.said("received")}),
            "research gets": lambda: len(research_files(self.folder / "research")) + held_for_research(configuration),
        }
        self._watch(progress, watched, len(sent), appliance)
        return self._prove(configuration, begun, sent, scanner, workstation, pacs)

    def _watch(
        self, progress: Progress, watched: Mapping[str, Callable[[], int]], total: int, appliance: Child
    ) -> None:
        """Move the bars until everything has come or nothing moves any more."""
        tasks: dict[str, TaskID] = {name: progress.add_task(name, total=total) for name in watched}
        moved, before = time.monotonic(), -1
        while True:
            counts = {name: count() for name, count in watched.items()}
            for name, count in counts.items():
                progress.update(tasks[name], completed=count)
            if sum(counts.values()) != before:
                moved, before = time.monotonic(), sum(counts.values())
            if (
                min(counts.values()) >= total
                or time.monotonic() - moved > STALL_SECONDS
                or appliance.process.poll() is not None
            ):
                return
            time.sleep(0.1)

    def _prove(
        self,
        configuration: Path,
        begun: float,
        sent: dict[str, Sent],
        scanner: Child,
        workstation: Child,
        pacs: Child,
    ) -> list[Row]:
        appliance = Appliance.open(load(configuration))
        kept = kept_instances(appliance, sent)
        appliance.close()
        of = len(sent)
        answered = [line for line in scanner.said("status") if line["status"] == 0]
        as_ruled = sum(
            uid in kept and kept[uid].is_whole and differs_as_ruled(file, kept[uid]) for uid, file in sent.items()
        )
        rows = [
            Row(
                "appliance",
                len(answered),
                of,
                _last(answered, begun),
                "every instance answered 0x0000, Success",
                len(answered) == of,
            ),
            Row(
                "archive",
                len(kept),
                of,
                _last(answered, begun),
                f"{as_ruled} read back: SHA-256 good; what was sent but for the padded patient ID, which is recorded",
                as_ruled == of,
            ),
        ]
        for name, peer in (("workstation", workstation), ("full PACS", pacs)):
            received = {line["received"]: line["sha256"] for line in peer.said("received")}
            same = received_unaltered(kept, received)
            refused = len(peer.said("refused"))
            how = f"{same} data sets equal the archive's by SHA-256" + (
                f"; refused {refused} times first, then retried" if refused else ""
            )
            rows.append(Row(name, len(received), of, _last(peer.said("received"), begun), how, same == of))
        rows.append(self._research(configuration, begun, sent))
        return rows

    def _research(self, configuration: Path, begun: float, sent: dict[str, Sent]) -> Row:
        """The folder's line of the table; what a person has to look at first is held, and nothing is missing then."""
        files = research_files(self.folder / "research")
        good, held = anonymised(sent, files, SECRET), held_for_research(configuration)
        seconds = max((path.stat().st_mtime for path in files), default=time.time()) - (time.time() - time.monotonic())
        how = f"{good} anonymised (PS3.15): no name or number of the patient left, pixels unchanged"
        how += f"; {held} held: a picture may show a name" if held else ""
        return Row(
            "research", len(files), len(sent), seconds - begun, how, good + held == len(sent) and good == len(files)
        )

    def _peer(self, name: str, title: str, *more: str) -> Child:
        peer = self._child(
            "router.demo.peer", name, "--port", "0", "--ae", title, "--folder", str(self.folder / name), *more
        )
        peer.wait_for(lambda: peer.said("listening"), START_SECONDS, f"{name} starts")
        return peer

    def _child(self, module: str, name: str, *arguments: str, json_lines: bool = True) -> Child:
        child = Child(module, arguments, self.folder / f"{name}.log", json_lines=json_lines)
        self.children.append(child)
        return child

    @contextmanager
    def _progress(self) -> Iterator[Progress]:
        columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            yield progress


def _is_part_ten(path: Path) -> bool:
    try:
        part_ten(path)
    except NotPartTenError:
        return False
    return True


def _port(peer: Child) -> int:
    return int(peer.said("listening")[0]["listening"])


def _last(lines: list[dict[str, float]], begun: float) -> float:
    return max((line["at"] for line in lines), default=begun) - begun


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True
