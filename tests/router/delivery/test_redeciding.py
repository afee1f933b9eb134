"""A held delivery after its rule was mended: by which rules `queue retry` tries it, and what never leaves by that."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archive import Identity
from router.cli.application import application
from router.config import Snapshot, make_site_secret
from router.delivery import Lines, State
from router.senders import sender_for
from tests.support.arrivals import origin
from tests.support.corrected import STUDY, Site
from tests.support.departures import wait_until
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PIXELS = b"\xe0\x7f\x10\x00OW\0\0\x04\0\0\0\1\2\3\4"
SENDS = "{name: all, to: [disk]}"
ANONYMISES = "{name: all, edit: [anonymise: {}], to: [disk]}"
TRUSTS = "{name: all, edit: [anonymise: {burned_in: trust}], to: [disk]}"
ELSEWHERE = "{name: all, edit: [anonymise: {burned_in: trust}], to: [station]}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site whose anonymising route holds a picture that may have names written into it."""
    site = Site(tmp_path)
    make_site_secret(site.configuration.data)
    serve(site, SENDS, ANONYMISES)
    values = {
        "SOPClassUID": CAPTURE,
        "SOPInstanceUID": "1.2.3.1",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": "1.2.2",
        "Modality": "OT",
        "PatientID": "4711",
        "PatientName": "Doe^Jane",
    }
    with site.appliance.spool.open(Identity(CAPTURE, "1.2.3.1", EXPLICIT_LITTLE_ENDIAN), origin()) as incoming:
        incoming.write(encoded(data_set(**values)) + PIXELS)
        incoming.seal()
    site.file_all()
    assert sent(site) is State.HELD
    yield site
    site.close()


def serve(site: Site, old: str, new: str) -> None:
    """Put this route in force instead of that one."""
    site.take_up(old, new)
    Snapshot(site.configuration.data).write(site.configuration)
    site.appliance.revisions.remember(site.configuration)


def sent(site: Site) -> State:
    """Send what is due; what became of the delivery."""
    parts = site.queue, site.archive, site.appliance.revisions.ruleset, lambda: site.configuration
    lines = Lines(*parts, sender_for, site.configuration.data / "outbox", lambda _: None)
    lines.start()
    settled = State.HELD, State.DELIVERED
    wait_until(lambda: site.queue.listing()[0].state in settled)
    assert lines.stop(20)
    return site.queue.listing()[0].state


def retry(site: Site, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `micropacs queue retry`."""
    done = CliRunner().invoke(application, ["-c", str(site.file), "queue", "retry", "--json", *options])
    return done.exit_code, json.loads(done.stdout)


def left(site: Site) -> list[bytes]:
    """The files that the destination has."""
    return [file.read_bytes() for file in (site.file.parent / "out").rglob("*.dcm")]


def test_a_mended_route_counts(site: Site) -> None:
    """Held by the old rules it leaves by those in force, without names, with their revision; not so with `filed`."""
    before = site.configuration.revision
    serve(site, ANONYMISES, TRUSTS)
    assert retry(site, "--under", "filed") == (0, {"deliveries": 1, "held": 0})
    assert (sent(site), site.queue.listing()[0].revision) == (State.HELD, before)
    assert retry(site) == (0, {"deliveries": 1, "held": 0})
    assert (sent(site), site.queue.listing()[0].revision) == (State.DELIVERED, site.configuration.revision)
    [copy] = left(site)
    assert b"Doe^Jane" not in copy
    assert b"4711" not in copy


def test_nothing_leaves_with_names_since_its_route_was_rewritten(site: Site) -> None:
    """Where the route does not anonymise any more it stays held and says why; only `--under current` sends it."""
    before = site.configuration.revision
    serve(site, ANONYMISES, SENDS)
    assert retry(site) == (1, {"deliveries": 0, "held": 1})
    [delivery] = site.queue.listing()
    assert (delivery.state, delivery.revision) == (State.HELD, before)
    assert "lacks an edit" in delivery.reason
    assert "--under current" in delivery.reason
    assert left(site) == []
    assert retry(site, "--under", "current") == (0, {"deliveries": 1, "held": 0})
    assert sent(site) is State.DELIVERED
    assert b"Doe^Jane" in left(site)[0]


def test_a_route_that_sends_elsewhere_by_now_sends_nothing_more(site: Site) -> None:
    """It stays held, by its name and destination, whatever is said; so does what was decided by rules that are lost."""
    serve(site, ANONYMISES, ELSEWHERE)
    for options in ((), ("--under", "current")):
        assert retry(site, *options) == (1, {"deliveries": 0, "held": 1})
        assert site.queue.listing()[0].reason == "in the configuration in force no route 'all' sends to disk"
    serve(site, ELSEWHERE, TRUSTS)
    with site.appliance.database.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET revision = 'lost'")
    assert retry(site) == (1, {"deliveries": 0, "held": 1})
    assert "cannot be read any more" in site.queue.listing()[0].reason


def test_what_is_not_held_keeps_its_rules(site: Site) -> None:
    """A parked delivery, and one that is due, are tried by the revision that decided them."""
    before = site.configuration.revision
    serve(site, ANONYMISES, SENDS)
    for state in (State.PARKED, State.DUE):
        with site.appliance.database.begin() as connection:
            connection.exec_driver_sql(f"UPDATE deliveries SET state = '{state}'")
        assert retry(site) == (0, {"deliveries": 1, "held": 0})
        assert site.queue.listing()[0].revision == before
