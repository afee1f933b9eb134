"""DCMTK's programs as requestors: PDU lengths, many contexts, repetitions, aborts, and services we do not offer."""

import subprocess
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.dcmtk import dcmsend, echoscu, needs_dcmtk, storescu
from tests.support.keeping import assert_kept
from tests.support.phantoms import compressed, phantom

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("interoperability dcmtk")]

PDU_BYTES = [4096, 8192, 16384, 32768, 65536, 131072]


@pytest.mark.parametrize("pdu_bytes", PDU_BYTES)
def test_every_pdu_length(pdu_bytes: int, appliance: RunningAppliance, tmp_path: Path) -> None:
    """Taking and sending PDUs of at most this length, storescu, dcmsend and echoscu are served."""
    length = ["-pdu", str(pdu_bytes)]
    by_storescu, by_dcmsend = phantom(tmp_path, "ct"), phantom(tmp_path, "ct")
    done = storescu(appliance.port, by_storescu, "-R", *length, "--max-send-pdu", str(pdu_bytes))
    assert done.returncode == 0, done.stderr
    done = dcmsend(appliance.port, by_dcmsend, *length, "--max-send-pdu", str(pdu_bytes))
    assert done.returncode == 0, done.stderr
    assert echoscu(appliance.port, *length)
    assert_kept(appliance, by_storescu + by_dcmsend)


def test_many_echoes_and_every_number_of_proposals(appliance: RunningAppliance) -> None:
    """A hundred echoes on one association; 128 contexts; all 38 transfer syntaxes DCMTK knows in each of them."""
    assert echoscu(appliance.port, "--repeat", "100")
    assert echoscu(appliance.port, "-ppc", "128")
    assert echoscu(appliance.port, "-pts", "38")
    assert echoscu(appliance.port, "-ppc", "128", "-pts", "38", "--repeat", "3")


def test_an_association_aborted_instead_of_released(appliance: RunningAppliance, tmp_path: Path) -> None:
    """What was acknowledged before an A-ABORT is kept; the appliance goes on."""
    paths = phantom(tmp_path, instances=3)
    assert storescu(appliance.port, paths, "-R", "--abort").returncode == 0
    assert echoscu(appliance.port, "--abort")
    assert_kept(appliance, paths)
    assert echoscu(appliance.port)


def test_the_same_instances_again_and_again(appliance: RunningAppliance, tmp_path: Path) -> None:
    """Repetitions of storescu are acknowledged each and kept once."""
    paths = phantom(tmp_path, instances=2)
    assert storescu(appliance.port, paths, "-R", "--repeat", "20").returncode == 0
    assert_kept(appliance, paths)


def test_many_instances_over_several_associations(appliance: RunningAppliance, tmp_path: Path) -> None:
    """Dcmsend with instances of several syntaxes, over several associations and over a single one."""
    plain = phantom(tmp_path, instances=4)
    mixed = [plain[0], compressed(plain[1], "dcmcrle"), compressed(plain[2], "dcmcjpls", "+el"), plain[3]]
    assert dcmsend(appliance.port, mixed, "-dn", "--multi-associations").returncode == 0
    assert_kept(appliance, mixed)
    single = phantom(tmp_path, instances=3)
    assert dcmsend(appliance.port, single, "--single-association", "--no-uid-checks").returncode == 0
    assert_kept(appliance, single)


def test_instances_that_storescu_invents(appliance: RunningAppliance, tmp_path: Path) -> None:
    """Every repetition with an invented UID is an instance of its own, in its own series and study."""
    count = "select count(*) from instances"
    before = appliance.count(count)
    invent = ["+II", "+IR", "2", "+IS", "2", "--repeat", "8"]
    assert storescu(appliance.port, phantom(tmp_path), "-R", *invent).returncode == 0
    wait_until(lambda: appliance.count(count) == before + 8, 20, "eight invented instances")


@pytest.mark.parametrize(
    "identity",
    [["-usr", "me"], ["-usr", "me", "-pwd", "secret"], ["-usr", "me", "-epw"], ["--kerberos"], ["--saml"], ["--jwt"]],
    ids=" ".join,
)
def test_a_user_identity_is_not_asked_for(identity: list[str], appliance: RunningAppliance, tmp_path: Path) -> None:
    """Who tells us a user is served as everybody, and none of it is kept in a log."""
    if len(identity) == 1:
        (tmp_path / "ticket").write_text("secret")
        identity = [*identity, str(tmp_path / "ticket")]
    paths = phantom(tmp_path)
    assert storescu(appliance.port, paths, "-R", *identity).returncode == 0
    assert_kept(appliance, paths)
    assert "secret" not in appliance.log.read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["findscu", "-S", "-k", "0008,0052=STUDY", "--cancel", "1"],
        ["findscu", "-W", "-k", "0008,0052=STUDY"],
        ["movescu", "-S", "-k", "0008,0052=STUDY", "-aem", "SOMEWHERE", "--cancel", "1"],
        ["movescu", "-P", "-k", "0008,0052=STUDY", "--ignore", "--abort"],
        ["getscu", "-S", "-k", "0008,0052=STUDY"],
        ["getscu", "-P", "-k", "0008,0052=STUDY", "--abort"],
    ],
    ids=" ".join,
)
def test_services_we_do_not_offer_are_declined(command: list[str], appliance: RunningAppliance, tmp_path: Path) -> None:
    """Queries are told at once that no presentation context is accepted, and the appliance goes on."""
    done = subprocess.run(
        [command[0], "-v", *command[1:], "-aec", "MICROPACS", "127.0.0.1", str(appliance.port)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert "No Acceptable Presentation Contexts" in done.stderr + done.stdout, done.stderr + done.stdout
    assert echoscu(appliance.port)
