"""Held deliveries tried again, as a person does it, after the configuration was changed. Starts no process."""

import json
from typing import Any

from typer.testing import CliRunner

from router.cli.application import application
from router.config import Snapshot
from router.delivery import Lines, State
from router.senders import sender_for
from tests.support.corrected import Site
from tests.support.departures import wait_until


def serve(site: Site, old: str, new: str) -> None:
    """Put this route in force instead of that one."""
    site.take_up(old, new)
    Snapshot(site.configuration.data).write(site.configuration)
    site.appliance.revisions.remember(site.configuration)


def sent(site: Site) -> State:
    """Send what is due; what became of the first delivery."""
    parts = site.queue, site.archive, site.appliance.revisions.ruleset, lambda: site.configuration
    lines = Lines(*parts, sender_for, site.configuration.data / "outbox", lambda _: None)
    lines.start()
    settled = State.HELD, State.DELIVERED
    wait_until(lambda: all(each.state in settled for each in site.queue.listing()))
    assert lines.stop(20)
    return site.queue.listing()[0].state


def retry(site: Site, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `micropacs queue retry`."""
    done = CliRunner().invoke(application, ["-c", str(site.file), "queue", "retry", "--json", *options])
    return done.exit_code, json.loads(done.stdout)


def left(site: Site) -> list[bytes]:
    """The files that the destination has."""
    return [file.read_bytes() for file in (site.file.parent / "out").rglob("*.dcm")]
