"""A whole appliance whose destinations are scripted peers: its configuration, its scanner, and what became of all."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.faults.calling import Call
from tests.faults.studies import CT, Instance
from tests.support.appliance import RunningAppliance, wait_until

STEADY = "retry: {first: 0.2s, factor: 1, longest: 0.2s}"
_OVER = ("delivered", "parked")


def destination(title: str, port: int, more: str = STEADY, host: str = "127.0.0.1") -> str:
    """The settings of one DICOM destination."""
    return f"{{ae_title: {title}, host: {host}, port: {port}, {more}}}"


def site(folder: Path, destinations: Mapping[str, str]) -> RunningAppliance:
    """An appliance that sends everything to all of these, as it came; not started."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"  {name}: {settings}" for name, settings in destinations.items())
    return RunningAppliance(
        folder,
        f"""
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{room1: {{ae_title: ROOM1, host: 127.0.0.1}}}}
destinations:
{lines}
routes: [{{name: all, to: [{", ".join(destinations)}]}}]
archive: {{original_attributes: no, free_space: 100MB}}
""",
    )


def send(appliance: RunningAppliance, instances: Iterable[Instance]) -> None:
    """As a scanner: one association, and each is answered with success."""
    call = Call(appliance.port, "ROOM1", CT)
    for instance in instances:
        assert call.store(instance) == 0
    call.release()


def settled(appliance: RunningAppliance, count: int, seconds: float = 120) -> None:
    """Wait until so many deliveries are delivered or parked, and none is under way."""
    query = "select count(*), sum(state in (?, ?)) from deliveries"
    wait_until(lambda: appliance.sql(query, *_OVER) == [(count, count)], seconds, f"{count} deliveries to be settled")


def digests(instances: Sequence[Instance]) -> dict[str, set[str]]:
    """What a peer must have taken: each UID with the one content that was sent."""
    return {instance.uid: {instance.sha256} for instance in instances}
