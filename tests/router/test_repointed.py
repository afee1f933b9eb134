"""A destination whose name leads elsewhere while deliveries are pending: told by check, log and journal."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.delivery import State
from router.repointed import REPOINTED, Repointed, repointed, tell_repointed
from router.roles import work
from tests.router.cli.test_commands import run
from tests.support.corrected import STUDY, Site

FOLDER = "disk: {type: folder, path: ./out}"
PACS = "disk: {ae_title: RESEARCH, host: 10.1.1.5, port: 104}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with three deliveries that were decided for a PACS: one is due, one parked, one delivered."""
    site = Site(tmp_path)
    site.take_up(FOLDER, PACS)
    site.appliance.revisions.remember(site.configuration)
    site.arrive(1)
    site.deliver()
    site.arrive(2, 3)
    with site.appliance.database.begin() as connection:
        connection.exec_driver_sql(f"UPDATE deliveries SET state = '{State.PARKED}' WHERE instance_id = 2")
    yield site
    site.close()


def found(site: Site) -> list[Repointed]:
    """What is told of the configuration as it is."""
    return repointed(site.appliance.database, site.appliance.revisions, site.configuration)


@pytest.mark.parametrize(
    ("now", "place"),
    [
        (PACS.replace("RESEARCH", "OTHER"), "DICOM OTHER@10.1.1.5:104"),
        (PACS.replace("10.1.1.5", "10.1.1.6"), "DICOM RESEARCH@10.1.1.6:104"),
        (PACS.replace("104", "105"), "DICOM RESEARCH@10.1.1.5:105"),
        (FOLDER, "the folder {}/out"),
    ],
)
def test_what_is_pending_is_told(site: Site, now: str, place: str) -> None:
    """Another AE title, host, port or kind: so many deliveries, decided for this place, go to that one."""
    assert found(site) == []
    site.take_up(PACS, now)
    there = place.format(site.file.parent)
    assert found(site) == [Repointed("disk", "DICOM RESEARCH@10.1.1.5:104", there, 2)]


@pytest.mark.parametrize("more", ["connections: 2", "description: the same", "retry: {first: 5s}"])
def test_the_same_place_is_no_news(site: Site, more: str) -> None:
    """Whatever else of a destination changes; nor is one that is not configured any more, or cancelled."""
    site.take_up("port: 104", f"port: 104, {more}")
    assert found(site) == []
    site.take_up(f"RESEARCH, host: 10.1.1.5, port: 104, {more}", "OTHER, host: 10.1.1.5")
    assert len(found(site)) == 1
    site.queue.cancel("anna", study_id=site.study_id(STUDY))
    assert found(site) == []


def test_the_work_role_tells_it_as_it_takes_a_configuration_up(site: Site) -> None:
    """At its start; of all that was decided for one place, by whatever revision."""
    site.take_up("port: 104", "port: 104, connections: 2")
    site.appliance.revisions.remember(site.configuration)
    site.arrive(4)
    site.take_up("port: 104", "port: 105")
    with capture_logs() as lines:
        work._opened(site.configuration).close()
    assert [each["event"][:36] for each in lines] == ["3 deliveries to 'disk' were decided "]


def test_it_is_logged_at_each_start_and_in_the_journal_once(site: Site) -> None:
    """With numbers and places, and what to do; the next configuration that moves it has an event of its own."""
    parts = site.appliance.database, site.appliance.revisions, site.appliance.journal
    for port, events in ((105, 1), (105, 1), (106, 2)):
        site.take_up(site.file.read_text().split("10.1.1.5, ")[1].split("}")[0], f"port: {port}")
        with capture_logs() as lines:
            tell_repointed(*parts, site.configuration)
        [line] = [each["event"] for each in lines]
        assert line.startswith("2 deliveries to 'disk' were decided for DICOM RESEARCH@10.1.1.5:104, and go to DICOM")
        assert "micropacs queue cancel --destination disk" in line
        with site.appliance.database.read() as connection:
            kinds = connection.exec_driver_sql("SELECT kind, destination, revision FROM journal").all()
        told = [each for each in kinds if each.kind == REPOINTED]
        assert len(told) == events
        assert (told[-1].destination, told[-1].revision) == ("disk", site.configuration.revision)


def test_check_tells_it(site: Site) -> None:
    """Before it is taken up, for people and programs; it is no reason to refuse the file."""
    code, output, errors = run("-c", site.file, "check", "--json")
    assert (code, json.loads(output)["repointed"]) == (0, [])
    site.take_up("port: 104", "port: 105")
    code, output, errors = run("-c", site.file, "check")
    assert code == 0
    assert "2 deliveries to 'disk' were decided for DICOM RESEARCH@10.1.1.5:104" in errors
    [told] = json.loads(run("-c", site.file, "check", "--json")[1])["repointed"]
    assert (told["deliveries"], told["goes_to"]) == (2, "DICOM RESEARCH@10.1.1.5:105")
