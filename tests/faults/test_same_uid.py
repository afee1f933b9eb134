"""One SOP Instance UID with several contents, one after the other and from eight scanners at once, on each database.

Of the databases it is the embedded one, or with `MICROPACS_EVERY_POINT=1` each.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.faults.calling import Call
from tests.faults.receiving import Receiver
from tests.faults.senders import noted
from tests.faults.studies import CT, Instance, digest, make_instance
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.databases import Fresh
from tests.support.extent import extent
from tests.support.figures import figure
from tests.support.part10 import read_part10
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

SENDERS = 8
CONTENTS = "aaabbbcc"  # of each UID, one a sender
UIDS = int(os.environ.get("MICROPACS_UIDS", extent(6, 100)))
YAML = """
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data, database: "{database}"}}
sources: {{room1: {{ae_title: ROOM1, host: 127.0.0.1}}}}
destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 1s, longest: 1s}}}}}}
routes: [{{name: all, to: [pacs]}}]
archive: {{when_same_uid_differs: keep-first, free_space: 100MB}}
"""


@dataclass(frozen=True)
class Sent:
    """One instance that was acknowledged: between which moments."""

    instance: Instance
    began: float
    ended: float


@dataclass
class Site:
    """A running appliance, its database, and the folder of its destination."""

    appliance: RunningAppliance
    database: sa.Engine
    copies: Path

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """By plain SQL."""
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def settled(self, instances: int) -> None:
        """Wait until nothing is in the spool and so many are delivered."""
        done = "select count(*) from deliveries where state = 'delivered'"
        wait_until(lambda: self.appliance.waiting() == 0, 60, "the spool to be empty")
        wait_until(lambda: self.rows(done) >= [(instances,)], 60, f"{instances} to be delivered")


@pytest.fixture
def site(tmp_path: Path, database_server: Fresh) -> Iterator[Site]:
    """An appliance on each kind of database with one destination for everything."""
    (tmp_path / "site" / "data").mkdir(parents=True, mode=0o750)
    url, port = database_server(tmp_path / "site" / "data"), free_port()
    pacs = Receiver(tmp_path / "pacs", "pacs", port, lambda _: None)
    engine = sa.create_engine(url)
    try:
        with RunningAppliance(tmp_path / "site", YAML.format(database=url, pacs=port)) as appliance:
            yield Site(appliance, engine, tmp_path / "pacs" / "copies.jsonl")
    finally:
        engine.dispose()
        pacs.close()


def _instance(uid: int, content: str) -> Instance:
    return make_instance("2.25.70", "2.25.71", f"2.25.72{uid:03d}", content=content)


def _send(site: Site, *instances: Instance) -> list[Sent]:
    """All in one association; each is acknowledged."""
    call = Call(site.appliance.port, "ROOM1", CT)
    sent = []
    for instance in instances:
        began = time.monotonic()
        assert call.store(instance) == 0
        sent.append(Sent(instance, began, time.monotonic()))
    call.release()
    return sent


def _at_once(site: Site, chance: random.Random) -> list[Sent]:
    """Eight scanners meet at each UID, three with one content, three with another, two with a third."""
    plan = [chance.sample(CONTENTS, SENDERS) for _ in range(UIDS)]
    meeting = threading.Barrier(SENDERS)
    sent: list[Sent] = []

    def scan(number: int) -> None:
        call = Call(site.appliance.port, "ROOM1", CT)
        for uid, contents in enumerate(plan):
            instance = _instance(uid, contents[number])
            meeting.wait(60)
            began = time.monotonic()
            assert call.store(instance) == 0
            sent.append(Sent(instance, began, time.monotonic()))
        call.release()

    scanners = [threading.Thread(target=scan, args=(number,)) for number in range(SENDERS)]
    for scanner in scanners:
        scanner.start()
    for scanner in scanners:
        scanner.join(120)
    assert len(sent) == SENDERS * UIDS, "a scanner did not get everything through"
    return sent


def _check(site: Site, sent: list[Sent]) -> Counter[str]:
    """Of each UID one content, none acknowledged before it was sent, is filed and delivered once; the others wait."""
    acknowledged: dict[str, list[Sent]] = {}
    for each in sent:
        acknowledged.setdefault(each.instance.uid, []).append(each)
    site.settled(len(acknowledged))
    archive = site.appliance.data / "archive"
    rows = site.rows("select sop_instance_uid, file, received_digest from instances")
    assert sorted(str(uid) for uid, _, _ in rows) == sorted(acknowledged), "not one row for each UID"
    held: dict[str, Counter[str]] = {}
    shown = site.appliance.json("held", "list")
    assert isinstance(shown, list)
    for each in shown:
        assert "other content" in each["reason"]
        held.setdefault(each["identity"]["sop_instance_uid"], Counter())[_digest(Path(each["path"]))] += 1
    copies = Counter((each["uid"], each["sha256"]) for each in noted(site.copies))
    found: Counter[str] = Counter()
    for uid, file, received in rows:
        those = acknowledged[str(uid)]
        kept = _digest(archive / str(file))
        first = [each for each in those if each.instance.sha256 == kept]
        others = {each.instance.sha256 for each in those} - {kept}
        found["overwritten"] += not first or kept != received
        found["overtaken"] += any(each.ended < min(one.began for one in first) for each in those if each not in first)
        found["lost"] += len(others - held.get(str(uid), Counter()).keys())
        found["held twice"] += held.get(str(uid), Counter()) != Counter(others)
        found["not delivered once"] += {key: n for key, n in copies.items() if key[0] == uid} != {(uid, kept): 1}
    return +found


def _digest(path: Path) -> str:
    part = read_part10(path)
    assert part is not None, path
    return digest(part.data_set)


@pytest.mark.parametrize("database_server", extent(["sqlite"], ["sqlite", "postgresql", "mariadb"]), indirect=True)
def test_each_content_is_kept_and_the_first_one_delivered(site: Site) -> None:
    """From eight scanners at once and once more, in one association, in one batch: the others are held and shown."""
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    chance = random.Random(seed)
    first, second, third = (_instance(UIDS + 1, content) for content in "abc")
    batch = [_instance(UIDS + 2, content) for content in "babca"]
    sent = _send(site, first)
    site.settled(1)
    sent += _send(site, second, first, second, third, third, first)
    sent += _at_once(site, chance)
    work = site.appliance.roles()["work"]
    os.kill(work, signal.SIGSTOP)
    try:
        sent += _send(site, *batch, _instance(UIDS + 3, "a"), _instance(UIDS + 3, "a"))
        sent += _at_once(site, chance)
    finally:
        os.kill(work, signal.SIGCONT)
    found = _check(site, sent)
    figure(
        f"seed {seed}: n = {len(sent)} acknowledged of {UIDS + 3} UIDs with up to 3 contents, {SENDERS} at once: "
        f"{len(found)} overwritten or lost"
    )
    assert not found
    stored = dict(site.rows("select sop_instance_uid, received_digest from instances"))  # type: ignore[arg-type]
    assert all(stored[each.uid] == each.sha256 for each in (first, batch[0]))
