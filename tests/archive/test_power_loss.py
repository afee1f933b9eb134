"""Whatever is sealed and filed, killed and cut off, and however often: the spool gives back what was acknowledged."""

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from archive import Identity, Incoming, Spool, incoming, segment
from tests.support.arrivals import CT, IMPLICIT, origin
from tests.support.extent import extent
from tests.support.lossy import Death, LossyDisk

LARGEST = 6000  # bytes, and four times as many in a segment: so that they are written over often
SIZES = st.one_of(st.integers(0, LARGEST), st.just(LARGEST), st.just(LARGEST + 1))


class SpoolModel(RuleBasedStateMachine):
    """A spool with small segments, against what was acknowledged and not yet removed."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(segment, "SEGMENT_BYTES", 4 * LARGEST)
        self.patch.setattr(segment, "LARGEST_BYTES", LARGEST)
        self.patch.setattr(incoming, "LARGEST_BYTES", LARGEST)
        self.disk = LossyDisk(self.patch)
        self.disk.synced = self._synced
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "0"
        self.spool = Spool(self.folder)
        self.spool.sweep()
        self.waiting: dict[str, bytes] = {}
        self.forgettable: dict[str, dict[str, bytes]] = {}  # removed, with marks that are not synchronised, by segment
        self.under_way: list[tuple[Incoming, bytes]] = []
        self.contents = random.Random(1)
        self.newest = ""
        self.going = ""  # being removed

    def _synced(self, path: str) -> None:
        """How far the entries of a segment have come is on the disk when its register is."""
        if path.endswith(".register"):
            self.forgettable.pop(str(Path(path).with_suffix(".segment")), None)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.spool.close()
        self.patch.undo()
        shutil.rmtree(self.root)

    @precondition(lambda self: len(self.under_way) < 3)
    @rule(size=SIZES)
    def begin(self, size: int) -> None:
        """An instance comes, in two fragments."""
        content = self.contents.randbytes(size)
        under_way = self.spool.open(Identity(CT, "1.2", IMPLICIT), origin())
        under_way.write(content[: size // 2])
        under_way.write(content[size // 2 :])
        self.under_way.append((under_way, content))

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 2))
    def seal(self, place: int) -> None:
        """One of those under way is acknowledged."""
        under_way, content = self.under_way.pop(place % len(self.under_way))
        arrival = under_way.seal()
        assert arrival > self.newest
        self.newest = arrival
        self.waiting[arrival] = content

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 2))
    def discard(self, place: int) -> None:
        """One of those under way is given up."""
        self.under_way.pop(place % len(self.under_way))[0].discard()

    @rule(limit=st.integers(1, 20), skip=st.sampled_from([0, 0, 0, 1, 3]))
    def file(self, limit: int, skip: int) -> None:
        """The oldest are filed, but for the first few."""
        for arrival in self.spool.sealed(limit)[skip:]:
            path = str(self.spool.read(arrival).path)
            content = self.waiting.pop(arrival)
            if path.endswith(".segment"):
                self.forgettable.setdefault(path, {})[arrival] = content
            self.going = arrival
            self.spool.remove([arrival])
            self.going = ""

    @rule(sizes=st.lists(SIZES, min_size=2, max_size=6), at_once=st.booleans())
    def pass_through(self, sizes: list[int], *, at_once: bool) -> None:
        """Filing keeps up with what comes, one by one or with several at once."""
        for size in sizes:
            self.begin(size)
            self.seal(-1)
            if not at_once:
                self.file(20, 0)
        self.file(20, 0)

    @rule(
        steps=st.integers(0, 6),
        dies=st.sampled_from(["between", "sealing", "filing"]),
        cut=st.none() | st.integers(0, 1 << 30),
        size=SIZES,
    )
    def die(self, steps: int, dies: str, cut: int | None, size: int) -> None:
        """The process is killed, or the power fails (`cut`, the seed of what is lost), in whatever it does."""
        copy = self.root / f"{int(self.folder.name) + 1}"
        chance = None if cut is None else random.Random(cut)
        content = self.contents.randbytes(size)
        left = steps

        def step() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                self.disk.step = lambda: None
                self.disk.frozen(self.folder, copy, chance)
                raise Death

        if dies != "between":
            self.disk.step = step
        try:
            if dies == "filing":
                self.file(20, 0)
            else:
                with self.spool.open(Identity(CT, "1.2", IMPLICIT), origin()) as under_way:
                    under_way.write(content)
                    self.waiting[under_way.seal()] = content
        except Death:
            pass
        else:
            self.disk.step = lambda: None
            self.disk.frozen(self.folder, copy, chance)
        self._start_again(copy, content, may_come_back=cut is not None)

    def _start_again(self, copy: Path, content: bytes, *, may_come_back: bool) -> None:
        for under_way, _ in self.under_way:
            under_way.discard()
        self.under_way.clear()
        self.spool.close()
        forgotten = {arrival: each for some in self.forgettable.values() for arrival, each in some.items()}
        shutil.rmtree(self.folder)
        self.folder, self.forgettable = copy, {}
        self.spool = Spool(copy)
        self.spool.sweep()
        found = {arrival: self.spool.read(arrival).data_set(0, 1 << 20) for arrival in self.spool.sealed(1000)}
        for arrival in found.keys() - self.waiting.keys():
            if arrival in forgotten:
                assert may_come_back or arrival == self.going, "what is filed comes back after a power cut only"
                assert found[arrival] == forgotten[arrival]
            else:
                assert found[arrival] == content, "only what was being acknowledged may be there besides"
                assert arrival > self.newest
            self.waiting[arrival] = found[arrival]
        assert found.keys() >= self.waiting.keys(), "what was acknowledged is lost"
        self.waiting = dict(sorted(self.waiting.items()))
        self.newest = max(self.newest, *found, "")
        self.going = ""

    @invariant()
    def all_that_was_acknowledged_waits(self) -> None:
        """Each once, whole, in order, and nothing else."""
        assert self.spool.sealed(1000) == list(self.waiting)
        assert self.spool.backlog().count == len(self.waiting)
        assert self.spool.backlog().unreadable == 0
        for arrival, content in self.waiting.items():
            entry = self.spool.read(arrival)
            assert (entry.arrival, entry.data_set(0, 1 << 20)) == (arrival, content)


SpoolModel.TestCase.settings = settings(
    max_examples=extent(30, 300), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSpoolModel = SpoolModel.TestCase


@pytest.mark.parametrize("dies", ["between", "sealing", "filing"])
def test_power_fails_when_a_segment_is_written_again(dies: str) -> None:
    """A segment whose entries are filed, not all of their marks on the disk, is cut off while new ones come into it."""
    for seed in range(30):
        model = SpoolModel()
        try:
            model.pass_through([LARGEST // 2] * 4, at_once=True)
            model.begin(LARGEST // 2)
            if seed % 2:
                model.seal(0)
            model.die(seed % 4, dies, seed, LARGEST // 2)
            model.all_that_was_acknowledged_waits()
            model.pass_through([LARGEST // 2] * 4, at_once=False)
            model.all_that_was_acknowledged_waits()
        finally:
            model.teardown()
