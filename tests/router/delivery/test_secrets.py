"""Copies that are made from a secret: none of a study leaves under another one because it was changed meanwhile."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from router.appliance import utc_now
from router.config import Snapshot, load, make_site_secret
from router.delivery import State
from router.revisions import Revisions
from tests.support.corrected import Site
from tests.support.retried import left, retry, sent, serve

SENDS = "{name: all, to: [disk]}"
OWN = '{name: all, edit: [anonymise: {secret: "${RESEARCH_SECRET}"}], to: [disk]}'
OF_SITE = "{name: all, edit: [anonymise: {}], to: [disk]}"
A, B = "the first secret of all", "another one by now"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site with secret A."""
    monkeypatch.setenv("RESEARCH_SECRET", A)
    monkeypatch.setenv("STATION", "one")
    site = Site(tmp_path)
    make_site_secret(site.configuration.data)
    yield site
    site.close()


def half_sent(site: Site, route: str) -> None:
    """One copy of a study has left by this route, another is due."""
    serve(site, SENDS, route)
    site.arrive(1)
    assert sent(site) is State.DELIVERED
    site.arrive(2)


def restarted(site: Site) -> None:
    """As after a restart: the files are read again, with what stands outside of them as it is now."""
    parts = site.appliance.database, utc_now, site.configuration.data
    site.appliance = replace(site.appliance, revisions=Revisions(*parts))
    site.configuration = load(site.file)
    Snapshot(site.configuration.data).write(site.configuration)
    site.appliance.revisions.remember(site.configuration)


def pseudonyms(site: Site) -> list[str]:
    """Under which patient IDs copies have left."""
    return [str(pydicom.dcmread(BytesIO(file)).PatientID) for file in left(site)]


def states(site: Site) -> list[State]:
    """Of all deliveries."""
    return [each.state for each in site.queue.listing()]


def test_after_the_secret_was_changed_the_rest_of_the_study_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held, says why and what to do; with the secret put back it leaves under the pseudonym of the first."""
    half_sent(site, OWN)
    before = site.configuration.revision
    monkeypatch.setenv("RESEARCH_SECRET", B)
    restarted(site)
    assert site.configuration.revision == before
    sent(site)
    [waiting] = [each for each in site.queue.listing() if each.state is State.HELD]
    assert "another secret" in waiting.reason
    assert "queue retry --under current" in waiting.reason
    assert not any(secret in waiting.reason for secret in (A, B))
    assert retry(site) == (1, {"deliveries": 0, "held": 1})
    assert retry(site, "--under", "filed") == (0, {"deliveries": 1, "held": 0})
    sent(site)
    assert State.HELD in states(site)
    assert len(left(site)) == 1
    monkeypatch.setenv("RESEARCH_SECRET", A)
    restarted(site)
    assert retry(site) == (0, {"deliveries": 1, "held": 0})
    sent(site)
    assert states(site) == [State.DELIVERED] * 2
    assert len(set(pseudonyms(site))) == 1


def test_a_person_may_mean_the_new_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--under current` sends what is held under the new pseudonym, also where the configuration is another."""
    half_sent(site, OWN)
    monkeypatch.setenv("RESEARCH_SECRET", B)
    site.take_up("name: mark", "name: mark all")
    restarted(site)
    sent(site)
    assert retry(site) == (1, {"deliveries": 0, "held": 1})
    assert any("another secret" in each.reason for each in site.queue.listing())
    assert retry(site, "--under", "current") == (0, {"deliveries": 1, "held": 0})
    sent(site)
    assert states(site) == [State.DELIVERED] * 2
    assert len(set(pseudonyms(site))) == 2


def test_another_secret_of_the_site_is_noticed_as_well(site: Site) -> None:
    """A route without a secret of its own takes the site's."""
    half_sent(site, OF_SITE)
    (site.configuration.data / "configuration" / "secret").unlink()
    make_site_secret(site.configuration.data)
    restarted(site)
    sent(site)
    assert sorted(states(site)) == [State.DELIVERED, State.HELD]
    assert len(left(site)) == 1


def test_so_is_any_value_from_outside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an edit takes from the environment is part of the decision; what the route does not take is not."""
    monkeypatch.setenv("ELSEWHERE", "two")
    half_sent(site, '{name: all, edit: [set: {StationName: "${STATION}"}], to: [disk]}')
    monkeypatch.setenv("ELSEWHERE", "three")
    monkeypatch.setenv("RESEARCH_SECRET", B)
    restarted(site)
    assert sent(site) is State.DELIVERED
    site.arrive(3)
    monkeypatch.setenv("STATION", "two")
    restarted(site)
    sent(site)
    assert sorted(states(site)) == [State.DELIVERED, State.DELIVERED, State.HELD]


def test_sending_again_minds_it_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A correction that is sent after receipts were folded is made from the same secret, or held."""
    half_sent(site, OWN)
    sent(site)
    assert site.queue.fold(datetime.now(UTC) + timedelta(hours=1)) == 2
    monkeypatch.setenv("RESEARCH_SECRET", B)
    restarted(site)
    site.corrector.edit(site.study_id(), {"StudyDescription": "Other"}, resend=True)
    sent(site)
    assert states(site) == [State.HELD] * 2
    assert len(set(pseudonyms(site))) == 1


def test_no_secret_is_kept(site: Site) -> None:
    """Neither the database nor the configuration in force has it; the fingerprint differs by route and by secret."""
    half_sent(site, OWN)
    site.appliance.database.dispose()
    for file in site.configuration.data.rglob("*"):
        assert not file.is_file() or A.encode() not in file.read_bytes(), file
    rules = site.configuration.ruleset
    assert rules.made_from("all")
    assert rules.made_from("otherwise") is None
