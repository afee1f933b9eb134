"""The command line as programs and people use it: options before and after, exit codes, JSON in every case."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from router.appliance import Appliance, utc_now
from router.cli.application import application
from router.config import load
from router.demo.phantom import write_phantom
from router.security import Folding, Ledger, ledger_folder
from tests.support.appliance import free_port

YAML = """
appliance: {data: ./data}
sources: {ct: {ae_title: CT1, host: 10.1.1.1}}
destinations: {pacs: {ae_title: PACS, host: 127.0.0.1, port: PORT}, disk: {type: folder, path: ./out}}
routes: [{name: all, to: [pacs, disk]}]
"""
UNSERVED = ["status", "find", "queue", "queue list", "queue retry", "held", "held list", "explain --study 1.2.3"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration that was never served; nobody listens at its PACS."""
    path = tmp_path / "site.yaml"
    path.write_text(YAML.replace("PORT", str(free_port())), encoding="utf-8")
    return path


def run(*arguments: object, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    done = CliRunner().invoke(application, [str(each) for each in arguments], env=environment)
    return done.exit_code, done.stdout, done.stderr


def test_the_configuration_may_be_named_anywhere(file: Path) -> None:
    """`-c` stands before the command, after it, or between a group and its command; else $MICROPACS_CONFIG counts."""
    assert run("-c", file, "check")[0] == 0
    assert run("check", "-c", file)[0] == 0
    assert run("check", environment={"MICROPACS_CONFIG": str(file)})[0] == 0
    for arguments in (["-c", file, "queue", "list"], ["queue", "-c", file, "list"], ["queue", "list", "-c", file]):
        assert run(*arguments)[0] == 3
    assert run("check", "-c", file.with_name("none.yaml"))[0] == 2


@pytest.mark.parametrize("command", UNSERVED)
def test_what_was_never_served_cannot_be_reached(file: Path, command: str) -> None:
    """Exit code 3, with what to do on standard error and with --json one JSON document."""
    code, output, errors = run("-c", file, *command.split(), "--json")
    assert code == 3
    assert json.loads(output)["ok"] is False
    assert "micropacs serve" in errors


@pytest.mark.parametrize(("version", "what_to_do"), [("9999", "put back the backup"), ("0001", "micropacs serve")])
def test_a_database_of_another_version_is_only_told_of(file: Path, version: str, what_to_do: str) -> None:
    """Exit code 3 and what to do: of a newer one by every command, of an older one by those that look only."""
    appliance = Appliance.open(load(file))
    with appliance.database.begin() as connection:
        connection.exec_driver_sql(f"update alembic_version set version_num = '{version}'")
    for command in ("replay", "status", "queue") if version == "9999" else ("replay",):
        new = [file] if command == "replay" else []
        code, _, errors = run("-c", file, command, *new)
        assert code == 3
        assert what_to_do in " ".join(errors.split())
    with appliance.database.read() as connection:
        assert connection.exec_driver_sql("select version_num from alembic_version").scalar() == version
    appliance.close()


@pytest.mark.parametrize(
    "command", ["check", "test", "status", "find", "queue", "held list", "send . --to x", "echo x"]
)
def test_a_broken_file_is_told_to_programs_too(tmp_path: Path, command: str) -> None:
    """Exit code 2, and every problem with file, line and column as JSON, whatever was asked."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("routes: [{name: r, too: [a]}]", encoding="utf-8")
    code, output, _ = run("-c", broken, *command.split(), "--json")
    assert code == 2
    (problem, *_) = json.loads(output)["problems"]
    assert (problem["line"], problem["column"], problem["suggestion"]) == (1, 20, "to")


def test_json_may_stand_before_the_command_of_a_group(file: Path) -> None:
    """`queue --json list` prints JSON as `queue list --json` does."""
    assert run("-c", file, "queue", "--json", "list")[1] == run("-c", file, "queue", "list", "--json")[1] != ""


def test_options_before_the_command_of_a_group_count(file: Path) -> None:
    """`queue --destination NAME list` asks for that destination, and an unknown one is refused, never passed over."""
    Appliance.open(load(file)).close()
    for arguments in (
        ["list", "--destination", "pcs"],
        ["--destination", "pcs", "list"],
        ["pause", "--destination", "pcs"],
    ):
        code, output, errors = run("-c", file, "queue", *arguments, "--json")
        assert code == 2
        assert json.loads(output)["reason"] == "there is no destination 'pcs'"
        assert "pcs" in errors


def test_an_unknown_option_is_wrong(file: Path) -> None:
    """Exit code 2 for an option, a command or a state that does not exist."""
    assert run("-c", file, "status", "--bogus")[0] == 2
    assert run("-c", file, "bogus")[0] == 2
    assert run("-c", file, "held", "list", "--state", "bogus")[0] == 2


def test_echo(file: Path) -> None:
    """A dead port is exit code 1; a port that cannot be and a name that is not there are 2."""
    code, output, _ = run("-c", file, "echo", "pacs", "--json")
    assert code == 1
    assert json.loads(output)["ok"] is False
    for peer in ("PACS@127.0.0.1:99999", "PACS@127.0.0.1:0", "pcs", "disk"):
        assert run("-c", file, "echo", peer)[0] == 2


def test_the_schema_is_json_with_and_without_being_asked() -> None:
    """`schema`, `schema --json` and `schema -c FILE` print the same document."""
    plain = run("schema")
    assert plain[0] == 0
    assert json.loads(plain[1])["title"] == "micropacs configuration"
    assert plain == run("schema", "--json") == run("schema", "-c", "any.yaml")


def test_a_failing_test_is_not_so(file: Path) -> None:
    """`test` and `check` end with 1 where a test of the file fails."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "tests: [{name: t, given: {Modality: CT}, expect: {to: [pacs]}}]\n", encoding="utf-8")
    for command in ("test", "check"):
        code, output, _ = run("-c", file, command, "--json")
        assert code == 1
        assert json.loads(output)["ok"] is False


def test_all_that_is_held_is_counted(file: Path) -> None:
    """`held reject all` and `held release all` tell how many they were, and end with 1 where it was none."""
    Appliance.open(load(file)).close()
    for arguments in (["reject", "all", "--why", "test"], ["release", "all"]):
        code, output, _ = run("-c", file, "held", *arguments, "--json")
        assert code == 1
        assert json.loads(output) == {"instances": 0}


def test_a_damaged_database_cannot_be_reached(file: Path) -> None:
    """Exit code 3 and the file's name, not an inner error."""
    file.with_name("data").mkdir()
    (file.with_name("data") / "micropacs.db").write_bytes(b"no database" * 1000)
    code, _, errors = run("-c", file, "status")
    assert code == 3
    assert "micropacs.db whole" in errors.replace("\n", " ")


def test_a_search_for_an_unknown_key_is_wrong(file: Path) -> None:
    """Exit code 2, with the key that was probably meant."""
    Appliance.open(load(file)).close()
    code, output, _ = run("-c", file, "find", "patientname=A*", "--json")
    assert code == 2
    assert json.loads(output)["hint"] == "did you mean PatientName?"


def test_sending_tells_what_was_left_out(file: Path, tmp_path: Path) -> None:
    """Where there is nothing to send, exit code 2 and why."""
    (tmp_path / "junk.txt").write_text("junk", encoding="utf-8")
    code, output, _ = run("-c", file, "send", tmp_path / "junk.txt", "--to", "pacs", "--json")
    assert code == 2
    assert "junk.txt: not a DICOM file" in json.loads(output)["hint"]


def test_status_tells_of_security_events(file: Path) -> None:
    """The events of the last day stand on the screen, the latest first, and whole in the JSON."""
    data = load(file).data
    for host in ("10.1.1.8", "10.1.1.9"):
        noted = Ledger(ledger_folder(data))
        noted.note("unknown PDU", host, "CT1")
        noted.write()
        appliance = Appliance.open(load(file))
        folding = Folding(ledger_folder(data), appliance.database, appliance.journal, utc_now)
        folding.fold()
        assert folding.fold() == 1
        appliance.close()
    _, output, _ = run("status", "-c", file)
    assert "security   2 events in the last 24 hours" in output
    assert "unknown PDU: 10.1.1.9 as CT1, 1 times" in output
    events = json.loads(run("status", "-c", file, "--json")[1])["security"]
    assert [(event["what"], event["host"], event["count"]) for event in events] == [
        ("unknown PDU", "10.1.1.9", 1),
        ("unknown PDU", "10.1.1.8", 1),
    ]


def test_explain_takes_the_source_of_what_is_imported(tmp_path: Path) -> None:
    """Rules may ask for the source `import`, which no file has to name; one that is none is told with all there are."""
    config = tmp_path / "site.yaml"
    config.write_text(
        "destinations: {disk: {type: folder, path: ./out}}\n"
        "routes: [{name: from a disc, when: {source: import}, to: [disk]}]\n",
        encoding="utf-8",
    )
    image = write_phantom(tmp_path / "phantom", slices=1, seed="disc").files[0]
    code, output, _ = run("explain", image, "--source", "import", "-c", config, "--json")
    assert (code, [each["destination"] for each in json.loads(output)[0]["dispatches"]]) == (0, ["disk"])
    code, _, errors = run("explain", image, "--source", "imports", "-c", config)
    assert code == 2
    assert "sources: import" in errors
