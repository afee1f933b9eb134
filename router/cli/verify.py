"""`micropacs verify`: every kept file against its digest and the index, and every file against the index.

What is found damaged goes into quarantine (`router/upkeep/verification.py`). It repairs and removes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from archive import Archive, Fault, Finding, Kept
from router.appliance import Appliance
from router.cli.options import Config, Json, in_force, opened
from router.cli.output import Exit, as_json, console, errors, fail, table
from router.sizes import size
from router.upkeep import Verifier

BATCH = 200
MOST_SHOWN = 200
ORPHAN = "orphan"
NEXT = {
    Fault.MISSING: "put the file back from a backup, then: micropacs verify",
    Fault.LENGTH: "put the file back from a backup, byte for byte, then: micropacs verify",
    Fault.CHANGED: "put the file back from a backup, byte for byte, then: micropacs verify",
    Fault.UNREADABLE: "the disk fails: see the system's log, replace it, put the file back, then: micropacs verify",
    Fault.NOT_VERIFIED: "it is not in quarantine; run the command as the user the appliance runs as",
    ORPHAN: "nothing of it is listed or sent; if it is wanted, send it to the appliance's own port, then remove it",
}


@dataclass(slots=True)
class Tally:
    """What a run has seen so far; what is whole is counted, what is not is kept."""

    instances: int = 0
    held: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    whole_again: list[Kept] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong."""
        return not self.findings and not self.orphans

    def rows(self) -> list[dict[str, str | None]]:
        """What is wrong, a row each, for programs."""
        found: list[dict[str, str | None]] = [
            {
                "fault": str(each.fault),
                "file": each.kept.file,
                "arrival": each.kept.arrival,
                "study": each.kept.study_uid,
                "instance": each.kept.uids[1],
                "reason": each.reason,
            }
            for each in self.findings
        ]
        nothing = {"arrival": None, "study": None, "instance": None, "reason": "the index does not know the file"}
        return [*found, *({"fault": ORPHAN, "file": file, **nothing} for file in self.orphans)]


def verify(
    everything: Annotated[
        bool, typer.Option("--all", help="All files, and what waits in hold; so if nothing is said.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Only so many instances, chosen by chance; no hold, no unknown files."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Read every kept file and compare it with its digest and the index; look for files the index does not know.

    What is damaged is not sent any more until it is found whole again.
    """
    if everything and sample is not None:
        fail("--all and --sample exclude each other", Exit.WRONG)
    loaded = in_force(config)
    tally = Tally()
    with opened(loaded) as appliance:
        try:
            _run(appliance, sample, tally, quiet=json)
        except OSError as error:
            hint = "run the command as the user the appliance runs as"
            fail(f"the archive cannot be read: {error.strerror}", Exit.UNREACHABLE, hint=hint)
    if json:
        counts = {"instances": tally.instances, "held": tally.held, "bytes": tally.bytes, "sample": sample is not None}
        whole_again = [kept.file for kept in tally.whole_again]
        as_json({"ok": tally.is_clean, **counts, "findings": tally.rows(), "whole_again": whole_again})
    else:
        _show(tally)
        if sample is not None:
            console.print("a sample: not looked at what is in hold, nor for files the index does not know (--all)")
    raise typer.Exit(Exit.DONE if tally.is_clean else Exit.NOT_SO)


def _run(appliance: Appliance, sample: int | None, tally: Tally, *, quiet: bool) -> None:
    archive = appliance.archive
    verifier = Verifier(archive, appliance.journal)
    kept = archive.summary()
    total = min(sample, kept.instances) if sample is not None else kept.instances
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=quiet) as progress:
        task = progress.add_task("instances", total=total)
        for batch in archive.sample(sample) if sample is not None else _instances(archive):
            tally.instances += _verify(verifier, batch, tally)
            progress.advance(task, len(batch))
        if sample is not None:
            return
        task = progress.add_task("in hold", total=None)
        for batch in _held(archive):
            tally.held += _verify(verifier, batch, tally)
            progress.advance(task, len(batch))
        progress.update(task, total=tally.held)
        task = progress.add_task("files in the index", total=None)
        files = 0
        for file, is_orphan in archive.files(appliance.spool.backlog):
            files += 1
            progress.advance(task)
            if is_orphan:
                tally.orphans.append(file)
        progress.update(task, total=files)


def _verify(verifier: Verifier, batch: Sequence[Kept], tally: Tally) -> int:
    verified = verifier.verify(batch)
    tally.findings += verified.findings
    tally.whole_again += verified.lifted
    tally.bytes += sum(kept.bytes for kept in batch)
    return len(batch)


def _instances(archive: Archive) -> Iterator[list[Kept]]:
    after = 0
    while batch := archive.instances_after(after, BATCH):
        yield batch
        after = batch[-1].row


def _held(archive: Archive) -> Iterator[list[Kept]]:
    after = 0
    while batch := archive.held_after(after, BATCH):
        yield batch
        after = batch[-1].row


def _show(tally: Tally) -> None:
    rows = tally.rows()
    if rows:
        columns = ("fault", "file", "study", "instance", "reason")
        table(columns, [[row[column] for column in columns] for row in rows[:MOST_SHOWN]])
        if len(rows) > MOST_SHOWN:
            console.print(f"… and {len(rows) - MOST_SHOWN} more: --json lists all")
        console.print()
        table(("fault", "files", "what to do"), _advice(rows))
        console.print()
    if tally.whole_again:
        console.print(
            f"{len(tally.whole_again)} whole again; what was parked for them goes with: micropacs queue retry",
            markup=False,
        )
    console.print(
        f"{tally.instances} instances and {tally.held} in hold read ({size(tally.bytes)}): "
        + ("nothing is wrong" if tally.is_clean else f"{len(rows)} of the files are not as they should be"),
        markup=False,
    )


def _advice(rows: Sequence[dict[str, str | None]]) -> list[tuple[object, ...]]:
    counts = ((fault, sum(row["fault"] == fault for row in rows)) for fault in NEXT)
    return [(fault, count, NEXT[fault]) for fault, count in counts if count]
