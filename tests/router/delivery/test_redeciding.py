"""A held delivery after its rule was mended: by which rules `queue retry` tries it, and what never leaves by that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive import Identity
from router.config import make_site_secret
from router.delivery import State
from tests.support.arrivals import origin
from tests.support.corrected import STUDY, Site
from tests.support.retried import left, retry, sent, serve
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


@pytest.mark.parametrize(
    "routes",
    [
        "{name: all, when: {Modality: CT}, edit: [anonymise: {burned_in: trust}], to: [disk]}",
        f"{{name: first, to: [station], stop: yes}}, {TRUSTS}",
        f"{{name: first, to: [disk]}}, {TRUSTS}",
        "{name: all, when: {ImageComments: {above: 5}}, edit: [anonymise: {burned_in: trust}], to: [disk]}",
    ],
)
def test_what_its_route_does_not_send_any_more_stays_held(site: Site, routes: str) -> None:
    """No match, or a stop or another route before it: it says so, whatever is ordered but the rules that decided it."""
    serve(site, ANONYMISES, routes)
    for options in ((), ("--under", "current")):
        assert retry(site, *options) == (1, {"deliveries": 0, "held": 1})
        [delivery] = site.queue.listing()
        assert delivery.state is State.HELD
        assert "does not send this instance to disk any more" in delivery.reason
        assert "queue cancel" in delivery.reason
    assert left(site) == []
    assert retry(site, "--under", "filed") == (0, {"deliveries": 1, "held": 0})


def test_each_instance_is_asked_for_itself(site: Site) -> None:
    """Of one route those go that it still sends, as the archive keeps them now; one that cannot be read stays."""
    for number in (2, 3):
        site.arrive(number, Modality="OT", SOPClassUID=CAPTURE, PatientID=f"{number}", StudyInstanceUID=f"1.2.{number}")
    with site.appliance.database.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'held', reason = 'late'")
    site.corrector.edit(site.study_id(), {"PatientID": "4712"}, resend=False)
    serve(site, ANONYMISES, TRUSTS.replace("edit:", "when: {PatientID: ['4712', '3']}, edit:"))
    [unreadable] = site.kept("1.2.3")
    (site.archive.folder / unreadable.file).unlink()
    assert retry(site) == (1, {"deliveries": 1, "held": 2})
    told = {each.instance_id: (each.state, each.reason) for each in site.queue.listing()}
    assert [state for state, _ in told.values()].count(State.DUE) == 1
    assert told[site.kept()[0].row][0] is State.DUE
    assert "does not send" in told[site.kept("1.2.2")[0].row][1]
    assert "cannot be read" in told[unreadable.row][1]


def test_what_is_not_held_keeps_its_rules(site: Site) -> None:
    """A parked delivery, and one that is due, are tried by the revision that decided them."""
    before = site.configuration.revision
    serve(site, ANONYMISES, SENDS)
    for state in (State.PARKED, State.DUE):
        with site.appliance.database.begin() as connection:
            connection.exec_driver_sql(f"UPDATE deliveries SET state = '{state}'")
        assert retry(site) == (0, {"deliveries": 1, "held": 0})
        assert site.queue.listing()[0].revision == before
