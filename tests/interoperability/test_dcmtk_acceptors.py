"""DCMTK's storescp as a destination: every PDU length, every way it has to fail; nothing is lost, nothing doubled."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import needs_dcmtk, storescp, storescu
from tests.support.part10 import read_part10
from tests.support.phantoms import phantom

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("interoperability acceptors")]

PDU_BYTES = (4096, 8192, 16384, 32768, 65536, 131072)
HEALTHY = {f"pdu{length}": ["-pdu", str(length)] for length in PDU_BYTES} | {
    "rejects-the-nameless": ["--reject"],
    "sleeps-after": ["--sleep-after", "1"],
    "sleeps-during": ["--sleep-during", "1", "-pdu", "65536"],
    "forks": ["--fork"],
    "end-of-study": ["-B", "-su", "study", "-xcs", "true", "-tos", "1"],
    "executes": ["-xcr", "true", "-xs"],
    "ignores": ["--ignore"],
}
FAILING = {
    "aborts-after": ["--abort-after"],
    "aborts-during": ["--abort-during"],
    "refuses": ["--refuse"],
    "takes-only-rle": ["-xf", "{profile}", "Default"],
    "is-killed": ["--sleep-during", "30"],
}
ABORTED, CUT = "the peer aborted the association", "the peer closed the connection"
# what becomes of a delivery as long as the peer does that, and one of the reasons that are shown
OUTCOMES = {
    "aborts-after": ("later", {ABORTED}),
    "aborts-during": ("later", {ABORTED, CUT, "the connection was lost"}),
    "refuses": ("parked", {"the association was rejected: no reason given"}),
    "takes-only-rle": ("parked", {"no accepted presentation context"}),
    "is-killed": ("later", {CUT, "the connection was lost"}),
}
PROFILE = """
[[TransferSyntaxes]]
[RLE]
TransferSyntax1 = RLELossless
[[PresentationContexts]]
[Images]
PresentationContext1 = PositronEmissionTomographyImageStorage\\RLE
[[Profiles]]
[Default]
PresentationContexts = Images
"""


class Site:
    """An appliance that sends everything to every storescp; `sent` are the data sets it was given, by UID."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        (folder / "profile.cfg").write_text(PROFILE)
        self.failing = {name: ExitStack() for name in FAILING}
        self.ports = {name: stack.enter_context(storescp(folder / name, *HEALTHY[name])) for name in HEALTHY}
        for name, options in FAILING.items():
            stack.push(self.failing[name])
            options = [option.format(profile=folder / "profile.cfg") for option in options]
            self.ports[name] = self.failing[name].enter_context(storescp(folder / name, *options))
        destinations = "\n".join(
            f"  {name}: {{ae_title: ANY, host: 127.0.0.1, port: {port}, retry: {{first: 1s, longest: 1s}}}}"
            for name, port in self.ports.items()
        )
        yaml = (
            'appliance: {ae_title: MICROPACS, listen: "127.0.0.1:{port}", data: ./data, unknown_sources: accept}\n'
            f"destinations:\n{destinations}\nroutes: [{{name: all, to: [{', '.join(self.ports)}]}}]\n"
        )
        (folder / "site").mkdir()
        self.appliance = stack.enter_context(RunningAppliance(folder / "site", yaml))
        paths = phantom(folder, instances=2) + phantom(folder, "pet-nac")
        parts = [part for path in paths if (part := read_part10(path))]
        self.sent = {part.sop_instance_uid: part.data_set for part in parts}
        assert storescu(self.appliance.port, paths, "-R").returncode == 0

    def assert_delivered(self, name: str) -> None:
        """Everything is delivered in the end, each instance once, and its bytes lie at the destination."""
        self.appliance.delivered(name, len(self.sent))
        arrived = [part for path in (self.folder / name).rglob("*") if path.is_file() and (part := read_part10(path))]
        if name != "ignores":
            assert len(arrived) == len(self.sent)
            assert {part.sop_instance_uid: part.data_set for part in arrived} == self.sent
        query = "select count(*) from attempts where destination = ? and outcome = 'delivered'"
        assert self.appliance.count(query, name) == len(self.sent), "what was delivered is not sent again"

    def attempts(self, name: str) -> set[tuple[object, ...]]:
        """What became of the attempts so far."""
        return set(self.appliance.sql("select outcome, reason from attempts where destination = ?", name))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everything running, and three instances sent."""
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("acceptors"), stack)


@pytest.mark.parametrize("name", FAILING)
def test_a_storescp_that_fails_and_comes_back(name: str, site: Site) -> None:
    """As long as it fails the reason is shown and nothing is given up; once it works it has everything, once."""
    outcome, reasons = OUTCOMES[name]
    if name == "is-killed":
        leased = "select count(*) from deliveries where destination = ? and state = 'leased'"
        wait_until(lambda: site.appliance.count(leased, name), 20, "an instance on its way")
        site.failing[name].close()
    wait_until(lambda: site.attempts(name), 20, "an attempt")
    kinds = {kind for kind, _ in site.attempts(name)}
    assert outcome in kinds <= {outcome, "later"}
    assert {reason for _, reason in site.attempts(name)} <= reasons
    site.failing[name].close()
    with storescp(site.folder / name, port=site.ports[name]):
        if outcome == "parked":
            done = site.appliance.run("queue", "retry", "--destination", name)
            assert done.returncode == 0, done.stderr
        site.assert_delivered(name)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_storescp_that_works(name: str, site: Site) -> None:
    """Whatever PDU length it takes, and however long it thinks, it gets every instance, to the byte."""
    site.assert_delivered(name)
    assert site.attempts(name) == {("delivered", "")}
