"""Three days without a destination, on a clock that the test sets; then all of it leaves over a real association.

MICROPACS_OUTAGE_INSTANCES=10000 queues so many; it takes some minutes.
"""

import hashlib
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from router.delivery import Queue
from tests.faults.answering import Script, answering
from tests.support.deliveries import Clock
from tests.support.departures import Departures, Kept, wait_until
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

INSTANCES = int(os.environ.get("MICROPACS_OUTAGE_INSTANCES", extent(400, 10_000)))
STUDY = 40
HOURS = 72
MOST_PROBES = 80
YAML = """
destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}}}}}
routes: [{{name: all, to: [pacs]}}]
"""


def _arrive(departures: Departures, kept: list[Kept], share: float) -> None:
    """Let studies come in until so much of all is there, one study at least."""
    while len(kept) < max(1, share * INSTANCES):
        study = departures.keep(min(STUDY, INSTANCES - len(kept)), study=f"1.2.{1 + len(kept)}")
        departures.enqueue(study, "pacs")
        kept += study


def _next_failure(departures: Departures, failures: int) -> tuple[int, datetime]:
    """Wait until the line has failed more often than that; how often then, and when it is to be tried again."""
    query = "SELECT failures FROM destinations"
    wait_until(lambda: _number(departures, query) > failures, 60)
    [line] = departures.queue.overview()
    assert line.retry_at is not None
    return line.failures, line.retry_at


def _number(departures: Departures, query: str) -> int:
    with departures.database.read() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


def _count(departures: Departures, where: str) -> int:
    return _number(departures, f"SELECT count(*) FROM deliveries WHERE {where}")


def test_72_hours_without_a_destination(tmp_path: Path) -> None:
    """What comes in meanwhile costs no attempt, none is given up; afterwards it leaves once each, the oldest first."""
    port = free_port()
    departures = Departures(tmp_path / "appliance", YAML.format(port=port))
    clock = Clock()
    departures.queue = Queue(departures.database, "here", clock)
    end = clock() + timedelta(hours=HOURS)
    kept: list[Kept] = []
    probes = 0
    with departures.sending() as lines:
        while clock() < end:
            _arrive(departures, kept, 1 - (end - clock()) / timedelta(hours=HOURS))
            lines.wake()
            probes, clock.moment = _next_failure(departures, probes)
        _arrive(departures, kept, 1)
        assert _count(departures, "state IN ('due', 'leased') AND attempts = 0") == INSTANCES
        script = Script()
        with answering({"PACS": script}, ("127.0.0.1", port)):
            began = time.monotonic()

            def is_drained() -> bool:
                """Whether all is delivered; a probe that came before the destination is made again."""
                [line] = departures.queue.overview()
                if line.retry_at is not None and line.retry_at > clock():
                    clock.moment = line.retry_at
                    lines.wake()
                return _count(departures, "state = 'delivered'") == INSTANCES

            lines.wake()
            wait_until(is_drained, 60 + INSTANCES / 5)
            seconds = time.monotonic() - began
    sent = [(each.sop_instance_uid, hashlib.sha256(each.data_set).hexdigest()) for each in kept]
    came = [(request.uid, request.sha256) for request in script.requests]
    figure(
        f"n = {INSTANCES} instances, {HOURS} h without destination: {probes} probes, {len(set(sent) - set(came))} "
        f"lost, {len(came) - len(set(came))} sent again, drained at {INSTANCES / seconds:.0f} a second"
    )
    assert came == sent, "not all of it once, in order of age"
    assert _count(departures, "attempts = 1") == INSTANCES
    assert probes <= MOST_PROBES
    departures.close()
