"""Power cut under a whole appliance, on a real file system, before calls of its roles that change a file.

`MICROPACS_EVERY_POINT=1` cuts it before each of them, on each file system; otherwise before some, by chance, on ext4.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.killing import compiled, needs_compiler
from tests.faults.power_site import SEED, Moment, Site
from tests.faults.powercut import FILE_SYSTEMS, needs_images
from tests.faults.studies import make_study
from tests.support.extent import EVERY_POINT, extent
from tests.support.figures import figure

pytestmark = [needs_compiler, pytest.mark.slow, pytest.mark.timeout(10800), pytest.mark.xdist_group("power cuts")]

LIKELY = {"receive": 8, "work": 80}  # calls that are made at least for a study
LIKELY_AT_START = {"receive": 4, "work": 40}  # and by a role that starts after a power cut
WITHOUT_INSTANCES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/types.h>
#define NOT_DURABLY(NAME)                                                                    \\
    ssize_t NAME(int file, const void *parts, int count, off_t at, int how) {                \\
        ssize_t (*real)(int, const void *, int, off_t, int) = dlsym(RTLD_NEXT, #NAME);       \\
        return real(file, parts, count, at, 0);                                              \\
    }
NOT_DURABLY(pwritev2)
NOT_DURABLY(pwritev64v2)
"""
UNSYNCHRONISED = {
    "instances": WITHOUT_INSTANCES,
    "anything": WITHOUT_INSTANCES + "int fsync(int file) { return 0; }\nint fdatasync(int file) { return 0; }\n",
}


@pytest.fixture(scope="module", params=extent(["ext4"], list(FILE_SYSTEMS)))
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An appliance that runs, its data folder on a disk of its own."""
    needs_images(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    with Site(folder, request.param, [compiled(folder)]) as site:
        yield site


@pytest.mark.parametrize("role", LIKELY)
def test_power_cut_while_a_study_comes(site: Site, role: str) -> None:
    """Whatever the roles just do: what was acknowledged is there, once, unaltered, and where it belongs."""
    _befall(site, role, LIKELY[role], lambda _: [])


@pytest.mark.parametrize("role", extent(["work"], list(LIKELY_AT_START)))
def test_power_cut_while_it_recovers_from_one(site: Site, role: str) -> None:
    """The same where the power fails again while a role starts after the first cut."""
    _befall(site, role, LIKELY_AT_START[role], lambda chance: [_drawn(chance)])


@pytest.mark.parametrize("what", extent(["instances"], list(UNSYNCHRONISED)))
def test_without_synchronising_a_power_cut_loses(tmp_path: Path, what: str) -> None:
    """Where the spool is not synchronised, or nothing is, what was acknowledged is lost: the tests above can fail."""
    needs_images()
    with Site(tmp_path, "ext4", [compiled(tmp_path), compiled(tmp_path, UNSYNCHRONISED[what])]) as site:
        kept, cut, later = (make_study(SEED, number) for number in (1, 3, 5))
        os.kill(site.appliance.roles()["work"], signal.SIGSTOP)  # so that it lies in the spool only
        site.send(kept)
        assert site.suffers(cut, Moment("receive", 1))
        acknowledged = site.acknowledged()
        site.start()
        site.send(later)
        site.settle({each.uid for each in later.instances}, "a study to come through after the power cut")
        lost = {uid for kind, uid, _ in site.verdict().found if kind == "lost"}
    figure(f"without synchronising: lost {len(lost)} of n = {len(acknowledged)} acknowledged")
    assert lost == acknowledged == {each.uid for each in kept.instances}


def _drawn(chance: random.Random) -> Moment:
    role = chance.choice(list(LIKELY))
    return Moment(role, chance.randint(1, LIKELY[role]))


def _befall(site: Site, role: str, likely: int, before: Callable[[random.Random], list[Moment]]) -> None:
    """Cut before each of the role's calls, or before one that is drawn, after other cuts; tell the figures."""
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(f"{seed} {role} {likely}")
    cuts, number = site.cuts.total(), 1
    if EVERY_POINT:
        while site.survives(*before(chance), Moment(role, number)):
            number += 1
        assert number > likely
    else:
        number = chance.randint(1, likely)
        moments = [*before(chance), Moment(role, number)]
        assert site.survives(*moments), f"seed {seed}: no power cut at {moments}"
    verdict = site.check()
    figure(
        f"seed {seed}: {site.kind}, {role} up to {number}: n = {site.cuts.total() - cuts} power cuts;"
        f" all in all {site.cuts.total()} before {dict(site.cuts)},"
        f" acknowledged {verdict.acknowledged}, lost {verdict.count('lost')}, sent again {verdict.sent_again}"
    )
