"""How long it takes to replay many studies: printed, and bound by the time of processors, which other tests share."""

import os
import time
from pathlib import Path

from pydicom.uid import generate_uid

from router.config import load
from router.demo.phantom import write_phantom
from router.replay import Choice, moves, replay
from router.replay.running import WORTH_PROCESSES
from rules import Header
from tests.router.replay.conftest import YAML
from tests.support.part10 import read_part10
from tests.support.past import PIXELS, PastSite

STUDIES = int(os.environ.get("MICROPACS_REPLAY_STUDIES", "500"))
SLOWEST = 50.0  # studies a second of a processor
NEW = YAML.replace("width: 8", "width: 10").replace("when: {Modality: PT}", "when: {SliceLocation: {present: true}}")


def filled(folder: Path) -> PastSite:
    """A site with so many studies, of one to three PET instances that have the header of the phantom's."""
    site = PastSite(folder, YAML)
    sample = next(
        path for path in write_phantom(folder / "phantom", slices=1, seed="speed").files if path.parent.name == "pet-ac"
    )
    part = read_part10(sample)
    assert part is not None
    content = part.data_set
    content = content[: Header.scan(content, part.transfer_syntax_uid).end] + PIXELS
    uids = {
        keyword: _uid(content, tag)
        for keyword, tag in (("study", b"\x20\x00\x0d\x00"), ("series", b"\x20\x00\x0e\x00"))
    }
    for study in range(STUDIES):
        its = content.replace(uids["study"], _like(uids["study"])).replace(uids["series"], _like(uids["series"]))
        for _ in range(1 + study % 3):
            instance = _like(part.sop_instance_uid.encode())
            site.receive(its.replace(part.sop_instance_uid.encode(), instance), instance.decode())
        if study % 100 == 99:
            site.file_all()
    site.file_all()
    return site


def _uid(content: bytes, tag: bytes) -> bytes:
    start = content.index(tag + b"UI") + 8
    return content[start : start + int.from_bytes(content[start - 2 : start], "little")].rstrip(b"\0")


def _like(uid: bytes) -> bytes:
    """Another UID of the same length."""
    return generate_uid(prefix="2.25.").ljust(64, "7")[: len(uid)].encode()


def test_studies_a_second(tmp_path: Path) -> None:
    """Every study is replayed with a changed edit; the figure is printed."""
    site = filled(tmp_path)
    instances = site.appliance.archive.summary().instances
    assert instances == sum(1 + study % 3 for study in range(STUDIES))
    tried = load(site.new(NEW), tried_in=site.configuration.data)
    started, before = time.perf_counter(), os.times()
    tally = replay(site.appliance.database, site.configuration, tried, Choice(), most=3)
    seconds, after = time.perf_counter() - started, os.times()
    site.close()
    cpu = sum(after[:4]) - sum(before[:4])  # of this process and of those it started
    by = "several processes" if instances >= WORTH_PROCESSES else "one process"
    print(f"\n{STUDIES} studies, {instances} instances by {by}: {seconds:.1f} s, {cpu:.1f} s of processors")
    assert (len(tally.studies), tally.instances, tally.unread) == (STUDIES, instances, [])
    assert not tally.is_same
    assert moves(tally) == []
    assert STUDIES / cpu > SLOWEST
