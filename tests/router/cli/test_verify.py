"""`micropacs verify`: what it finds, what it says to people and programs, and its exit codes."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archive import Hold
from router.appliance import Appliance
from router.cli.application import application
from router.config import load
from tests.support.arrivals import filed, overwrite, sealed

YAML = "appliance: {data: ./data}\nsources: {ct: {ae_title: CT1, host: 10.1.1.1}}\n"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an appliance that keeps 20 instances, one of them in hold."""
    folder = tmp_path_factory.mktemp("filled")
    path = folder / "site.yaml"
    path.write_text(YAML, encoding="utf-8")
    appliance = Appliance.open(load(path))
    entries = [sealed(appliance.spool, bytes([number]) * 100, f"1.2.{number}") for number in range(20)]
    filed(appliance.archive, entries[1:], [{}] * 19)
    appliance.archive.place_held(entries[:1])
    with appliance.database.begin() as connection:
        appliance.archive.hold(connection, [Hold(entries[0], "why", None, "rev1", "held", {})])
    appliance.spool.remove([entry.arrival for entry in entries])
    appliance.close()
    return folder


@pytest.fixture
def file(filled: Path, tmp_path: Path) -> Path:
    """Its configuration, of a copy for one test alone."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return tmp_path / "site.yaml"


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    done = CliRunner().invoke(application, [str(each) for each in arguments])
    return done.exit_code, done.stdout, done.stderr


def kept_files(file: Path) -> list[Path]:
    """The files in the study folders."""
    return sorted((file.parent / "data" / "archive").glob("??/??/*/*.dcm"))


def spoil(path: Path) -> None:
    """Flip the last byte; the same again undoes it."""
    content = path.read_bytes()
    overwrite(path, len(content) - 1, bytes([content[-1] ^ 1]))


def test_a_whole_archive_is_said_to_be_whole(file: Path) -> None:
    """Exit code 0; everything is read if nothing else is said, and so with --all."""
    for arguments in ((), ("--all",)):
        code, output, _ = run("-c", file, "verify", *arguments)
        assert code == 0
        assert "19 instances and 1 in hold read" in output
        assert "nothing is wrong" in output


def test_each_fault_is_told_with_what_to_do(file: Path) -> None:
    """Exit code 1; a changed file, one gone, one too long, one in hold and one too many, each with its remedy."""
    changed, gone, longer, *_ = files = kept_files(file)
    [held] = (file.parent / "data" / "archive" / "hold").glob("*.dcm")
    spoil(changed)
    spoil(held)
    gone.unlink()
    with longer.open("ab") as more:
        more.write(b"\0")
    stranger = files[0].with_name("stranger.dcm")
    stranger.write_bytes(b"")
    os.utime(stranger, (time.time() - 3600,) * 2)
    code, output, _ = run("-c", file, "verify")
    assert code == 1
    for said in ("changed", "missing file", "wrong length", "orphan", "from a backup", "5 of the files"):
        assert said in output
    code, output, _ = run("-c", file, "verify", "--json")
    assert code == 1
    told = json.loads(output)
    archive = file.parent / "data" / "archive"
    assert {(each["file"], each["fault"]) for each in told["findings"]} == {
        (path.relative_to(archive).as_posix(), fault)
        for path, fault in (
            (changed, "changed"),
            (held, "changed"),
            (gone, "missing file"),
            (longer, "wrong length"),
            (stranger, "orphan"),
        )
    }
    assert (told["ok"], told["instances"], told["held"]) == (False, 19, 1)


def test_what_is_whole_again_is_said_once(file: Path) -> None:
    """A restored file is out of quarantine: exit code 0, with what to do for what was parked; then nothing."""
    spoil(kept_files(file)[0])
    assert run("-c", file, "verify")[0] == 1
    spoil(kept_files(file)[0])
    code, output, _ = run("-c", file, "verify")
    assert code == 0
    assert "1 whole again" in output
    assert "micropacs queue retry" in output
    assert json.loads(run("-c", file, "verify", "--json")[1])["whole_again"] == []


def test_a_sample_reads_only_so_many(file: Path) -> None:
    """Of 19 instances five are read, or all if more are asked for; that hold and strangers are left out is said."""
    for count, read in ((5, 5), (100, 19)):
        code, output, _ = run("-c", file, "verify", "--sample", count, "--json")
        assert code == 0
        told = json.loads(output)
        assert (told["instances"], told["held"], told["sample"]) == (read, 0, True)
    code, output, _ = run("-c", file, "verify", "--sample", 5)
    assert "not looked at what is in hold, nor for files the index does not know" in output
    code, output, _ = run("-c", file, "verify")
    assert "sample" not in output


@pytest.mark.parametrize("arguments", [("--sample", 0), ("--sample", "x"), ("--all", "--sample", 5), ("what",)])
def test_wrong_use_is_told(file: Path, arguments: tuple[object, ...]) -> None:
    """Exit code 2."""
    assert run("-c", file, "verify", *arguments)[0] == 2


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Exit code 3, where the appliance never ran and where its database cannot be reached."""
    path = tmp_path / "site.yaml"
    path.write_text(YAML, encoding="utf-8")
    assert run("-c", path, "verify")[0] == 3
    path.write_text(
        YAML.replace("{data: ./data}", "{data: ./data, database: 'postgresql+psycopg://nobody@127.0.0.1:1/none'}"),
        encoding="utf-8",
    )
    assert run("-c", path, "verify")[0] == 3
