"""`micropacs send`: files to a peer, by the same sender the queue uses."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from router.cli.options import Config, Json
from router.cli.output import Exit, as_json, console, errors, fail, table
from router.cli.peers import named_peer
from router.delivery import DestinationError, Kind, Outcome, Shipment
from router.errors import RouterError
from router.part10 import PartTen, find_files, part_ten
from router.senders import DicomSender

BATCH = 64


def send(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="DICOM files and folders.")],
    to: Annotated[str, typer.Option(metavar="NAME|AET@HOST:PORT", help="A destination, or any peer.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Send files as they are: no rule edits them. Every instance's own status counts."""
    peer, calling = named_peer(config, to)
    files, unreadable = _readable(paths)
    if not files:
        told = next((f"{path}: {reason}" for path, reason in unreadable.items()), None)
        fail("there is no DICOM file to send", Exit.WRONG, hint=told)
    outcomes: dict[Path, Outcome] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=json) as progress:
        task = progress.add_task(f"to {peer.ae_title}", total=len(files))
        sender = DicomSender(peer, calling)
        for path, outcome in _sent(sender, files):
            outcomes[path] = outcome
            progress.advance(task)
        sender.close()
    delivered = sum(outcome.kind is Kind.DELIVERED for outcome in outcomes.values())
    if json:
        rows = [
            {"file": str(path), "status": outcome.status, "outcome": outcome.kind, "reason": outcome.reason}
            for path, outcome in outcomes.items()
        ]
        as_json({"delivered": delivered, "files": rows, "unreadable": unreadable})
    else:
        reasons = Counter(
            ("not delivered", outcome.reason) for outcome in outcomes.values() if outcome.kind is not Kind.DELIVERED
        )
        reasons.update(("left out", reason) for reason in unreadable.values())
        if reasons:
            table(("files", "outcome", "why"), [(count, kind, reason) for (kind, reason), count in reasons.items()])
        console.print(f"{delivered} of {len(files)} delivered")
    raise typer.Exit(Exit.DONE if delivered == len(files) else Exit.NOT_SO)


def _readable(paths: list[Path]) -> tuple[list[PartTen], dict[str, str]]:
    files: list[PartTen] = []
    unreadable: dict[str, str] = {}
    for path in find_files(paths):
        try:
            files.append(part_ten(path))
        except RouterError as error:
            unreadable[str(path)] = str(error)
        except OSError as error:
            unreadable[str(path)] = error.strerror or "it cannot be read"
    return files, unreadable


def _sent(sender: DicomSender, files: list[PartTen]) -> Iterator[tuple[Path, Outcome]]:
    """The outcome of every file; where the peer breaks off, what was not sent shares its reason."""
    for batch in _batched(files):
        shipments = (_shipment(number, file) for number, file in enumerate(batch))
        left = dict(enumerate(batch))
        try:
            for shipment, outcome in sender.send([file.identity for file in batch], shipments):
                yield left.pop(shipment.delivery_id).path, outcome
        except DestinationError as error:
            for file in left.values():
                yield file.path, error.outcome


def _batched(files: list[PartTen]) -> Iterator[list[PartTen]]:
    return (files[start : start + BATCH] for start in range(0, len(files), BATCH))


def _shipment(number: int, file: PartTen) -> Shipment:
    return Shipment(
        delivery_id=number,
        identity=file.identity,
        prefix=None,
        resume=0,
        path=file.path,
        data_set_offset=file.data_set_offset,
        size=file.bytes,
        digest=None,
    )
