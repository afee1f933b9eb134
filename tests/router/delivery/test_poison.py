"""What is wrong with one instance, or with one connection, holds up nothing else."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from router.delivery import Kind, Outcome, Settlement, State
from router.delivery.outbox import recover
from router.delivery.packing import Packer
from router.pixels import Workshop
from tests.support.departures import CT, EXPLICIT, Departures
from tests.support.scripted import Script, scripted

SLOW = "retry: {first: 60s}"


def _peer(port: int, more: str = "") -> str:
    destination = f"{{ae_title: PACS, host: 127.0.0.1, port: {port}, {SLOW}{more}}}"
    return f"destinations: {{pacs: {destination}}}\nroutes: [{{name: all, to: [pacs]}}]"


@contextmanager
def _one_at_a_time() -> Iterator[tuple[int, list[str]]]:
    """A peer that takes one association at a time and rejects others for now; its port, and what it got."""
    got: list[str] = []
    served: list[object] = []
    guard = threading.Lock()

    def requested(event: evt.Event) -> None:
        """Serve the first of two that come together; the server's own limit may reject both."""
        with guard:
            if not served:
                served.append(event.assoc)
                return
        event.assoc.acse.send_reject(2, 3, 2)
        event.assoc.kill()

    def closed(event: evt.Event) -> None:
        with guard:
            if event.assoc in served:
                served.remove(event.assoc)

    def store(event: evt.Event) -> int:
        time.sleep(0.005)
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    ae = AE("PACS")
    ae.maximum_associations = 50
    ae.supported_contexts = [build_context(CT, EXPLICIT)]
    handlers = [(evt.EVT_REQUESTED, requested), (evt.EVT_CONN_CLOSE, closed), (evt.EVT_C_STORE, store)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()


def test_a_peer_that_takes_fewer_connections_than_configured_is_not_down(tmp_path: Path) -> None:
    """Where one connection is served and the other rejected, the line goes on with the one."""
    with _one_at_a_time() as (port, got):
        departures = Departures(tmp_path / "appliance", _peer(port, ", connections: 2"))
        departures.enqueue(departures.keep(200), "pacs")
        with departures.sending():
            departures.wait_for(State.DELIVERED, seconds=20)
        assert sorted(got) == sorted(set(got))
        assert departures.queue.overview()[0].failures == 0


def test_files_the_archive_cannot_read_say_nothing_of_the_destination(tmp_path: Path) -> None:
    """Of ten instances five have lost their files: the others arrive, and the destination is not taken for down."""
    script = Script()
    with scripted(script, (CT,)) as port:
        departures = Departures(tmp_path / "appliance", _peer(port))
        kept = departures.keep(10)
        stored = departures.archive.stored([each.recorded.instance_id for each in kept])
        for each in kept[:5]:
            stored[each.recorded.instance_id].path.unlink()
        departures.enqueue(kept, "pacs")
        with departures.sending():
            wanted = {each.sop_instance_uid for each in kept[5:]}
            deadline = time.monotonic() + 10
            while set(script.stored) != wanted and time.monotonic() < deadline:
                time.sleep(0.05)
        assert set(script.stored) == wanted
        line = departures.queue.overview()[0]
        assert (line.failures, line.counts) == (0, {State.DUE: 5, State.DELIVERED: 5})
        assert all("cannot be read" in each.reason for each in departures.listed() if each.state is State.DUE)


def test_a_database_that_fails_while_packing_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the database says nothing of an instance: it is raised, not made a reason to hold it."""
    departures = Departures(tmp_path / "appliance", _peer(1))
    departures.enqueue(departures.keep(1), "pacs")

    def away(_: str) -> None:
        raise sa.exc.OperationalError("select", {}, Exception("database is locked"))

    packer = Packer(departures.archive, away, None, Workshop())  # type: ignore[arg-type]
    leased = departures.queue.lease("pacs", 10)
    with pytest.raises(sa.exc.OperationalError):
        packer.pack(leased[0], packer.stored(leased)[leased[0].instance_id])


def test_an_answer_counts_though_its_lease_has_ended(tmp_path: Path) -> None:
    """Rescued and not leased again, what was answered is delivered and not sent once more; a refusal counts no more."""
    departures = Departures(tmp_path / "appliance", _peer(1))
    departures.enqueue(departures.keep(2), "pacs")
    first, second = departures.queue.lease("pacs", 10)
    departures.queue.rescue(own=True)
    now = departures.queue.now()
    delivered = Settlement(first.delivery_id, first.token, Outcome(Kind.DELIVERED, 0, ""), now)
    refused = Settlement(second.delivery_id, second.token, Outcome(Kind.PARKED, 0xA900, "no"), now)
    assert departures.queue.settle([delivered, refused]) == 1
    assert departures.states() == [State.DELIVERED, State.DUE]
    (again,) = departures.queue.lease("pacs", 10)
    assert departures.queue.settle([Settlement(again.delivery_id, again.token - 1, delivered.outcome, now)]) == 0


def test_a_ledger_that_cannot_be_read_does_not_keep_the_lines_from_starting(tmp_path: Path) -> None:
    """What is no file any more is told and passed over."""
    departures = Departures(tmp_path / "appliance", _peer(1))
    (tmp_path / "outbox" / f"{departures.queue.holder}-1.log").mkdir(parents=True)
    assert recover(tmp_path / "outbox", departures.queue) == 0
