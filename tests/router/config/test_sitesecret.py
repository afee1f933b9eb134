"""The secret of the site: made once in a new folder, and never replaced unless a person says so."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.config import SecretLostError, Snapshot, load
from router.config.sitesecret import make_site_secret
from router.roles import Supervisor
from tests.router.cli.test_commands import run
from tests.support.ports import free_port

PLAIN = """
appliance: {data: ./data, listen: "127.0.0.1:PORT"}
destinations: {research: {type: folder, path: ./out}}
routes: [{name: out, to: [research]}]
"""
ANONYMISING = PLAIN.replace("to:", "edit: [anonymise: basic], to:")
WITH_ITS_OWN = PLAIN.replace("to:", "edit: [anonymise: {secret: of the trial}, shift_dates: -30], to:")
NEEDING_IT = [
    ANONYMISING,
    PLAIN.replace("to:", "edit: [new_uids: yes], to:"),
    PLAIN.replace("to:", "edit: [shift_dates: {}], to:"),
    PLAIN + "normalise: [{name: n, edit: [shift_dates: {}]}]",
]
SIGNS = ["configuration/active.json", "micropacs.db", "archive/some-study/manifest.json"]


def site(folder: Path, yaml: str, *signs: str) -> Path:
    """A configuration, and a data folder with these signs of use."""
    file = folder / "site.yaml"
    file.write_text(yaml.replace("PORT", str(free_port())), encoding="utf-8")
    for sign in signs:
        path = folder / "data" / sign
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return file


def secret_of(file: Path) -> Path:
    """Where the secret lies."""
    return file.parent / "data" / "configuration" / "secret"


@pytest.mark.parametrize("yaml", NEEDING_IT)
def test_a_new_folder_gets_one_and_keeps_it(tmp_path: Path, yaml: str) -> None:
    """The first configuration that is put in force makes it, the next leaves it alone."""
    file = site(tmp_path, yaml)
    configuration = load(file)
    Snapshot(configuration.data).write(configuration)
    made = secret_of(file).read_bytes()
    Snapshot(configuration.data).write(configuration)
    assert secret_of(file).read_bytes() == made


@pytest.mark.parametrize("yaml", NEEDING_IT)
@pytest.mark.parametrize("sign", SIGNS)
def test_one_that_was_lost_is_not_replaced(tmp_path: Path, sign: str, yaml: str) -> None:
    """Whatever is left of the folder and whichever rule needs it: nothing is put in force, and none is made."""
    file = site(tmp_path, yaml, sign)
    configuration = load(file)
    with pytest.raises(SecretLostError, match="is gone"):
        Snapshot(configuration.data).write(configuration)
    assert not secret_of(file).exists()


@pytest.mark.parametrize("yaml", [PLAIN, WITH_ITS_OWN, ANONYMISING.replace("{name", "{disabled: yes, name")])
def test_rules_that_do_not_need_it_go_on_without(tmp_path: Path, yaml: str) -> None:
    """They are put in force, and none is made that a later rule would take for the old one."""
    file = site(tmp_path, yaml, *SIGNS)
    configuration = load(file)
    Snapshot(configuration.data).write(configuration)
    assert Snapshot(configuration.data).read().revision == configuration.revision
    assert not secret_of(file).exists()


def test_a_reload_that_needs_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last good configuration stays, and the log says what to do."""
    file = site(tmp_path, PLAIN, *SIGNS, "locks/serve.lock")
    monkeypatch.setattr("router.roles.supervisor.watch_files", lambda *_: None)
    supervisor = Supervisor(load(file))
    site(tmp_path, ANONYMISING)
    with capture_logs() as lines:
        assert not supervisor.reload()
    [line] = [each for each in lines if each["event"] == "configuration refused"]
    assert "config new-secret" in line["what_to_do"]
    make_site_secret(file.parent / "data")
    assert supervisor.reload()


def test_what_the_commands_say(tmp_path: Path) -> None:
    """`serve` ends with 2 and `check` with 1, until another secret is accepted, which only a lost one lets."""
    file = site(tmp_path, ANONYMISING, "configuration/active.json", "micropacs.db")
    command = [sys.executable, "-m", "router.cli", "serve", "-c", str(file)]
    served = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert served.returncode == 2
    assert "micropacs config new-secret" in served.stderr
    code, output, errors = run("-c", file, "check")
    assert (code, "good" in output) == (1, False)
    assert "serve would refuse it" in errors
    assert '"secret"' in run("-c", file, "check", "--json")[1]
    secret_of(file).write_bytes(b"cut short")
    assert run("-c", file, "config", "new-secret")[0] == 1
    assert secret_of(file).read_bytes() == b"cut short"
    secret_of(file).unlink()
    assert run("-c", file, "config", "new-secret")[0] == 0
    assert run("-c", file, "check")[0] == 0
    assert run("-c", file, "config", "new-secret")[0] == 1
