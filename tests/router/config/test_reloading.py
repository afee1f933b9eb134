"""The configuration in force passes from the supervisor to the roles as one file, whole or not at all."""

import json
from pathlib import Path

import pytest

from router.appliance import Appliance
from router.config import Configuration, ConfigurationError, Snapshot, SnapshotError, load, load_texts
from rules import EditHeldError
from tests.support.rules import arrival, header

SITE = """
appliance: {database: "postgresql+psycopg://u:${PASSWORD}@db/micropacs"}
destinations: {pacs: {ae_title: PACS, host: 10.1.1.2}}
routes: [{name: all, to: [pacs]}]
"""
ENVIRONMENT = {"PASSWORD": "hunter2"}


def write_site(folder: Path, text: str = SITE) -> Path:
    """A configuration file."""
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A role gets the configuration that was accepted, whatever became of the file since."""
    accepted = load(write_site(tmp_path), ENVIRONMENT)
    Snapshot(tmp_path / "data", ENVIRONMENT).write(accepted)
    accepted.path.unlink()
    taken = Snapshot(tmp_path / "data", ENVIRONMENT).read()
    assert (taken.revision, taken.path, taken.settings) == (accepted.revision, accepted.path, accepted.settings)


def test_no_secret_is_written(tmp_path: Path) -> None:
    """The file in the data folder holds references, no values, and no half-written file stays beside it."""
    Snapshot(tmp_path, ENVIRONMENT).write(load(write_site(tmp_path), ENVIRONMENT))
    assert {file.name for file in (tmp_path / "configuration").iterdir()} == {"active.json", "secret"}  # the site's own
    assert "hunter2" not in (tmp_path / "configuration" / "active.json").read_text(encoding="utf-8")


def test_a_change_is_seen_once(tmp_path: Path) -> None:
    """`changed` is false after reading, true after another configuration came, and false again after reading that."""
    writer, reader = Snapshot(tmp_path, ENVIRONMENT), Snapshot(tmp_path, ENVIRONMENT)
    assert not reader.changed()
    writer.write(load(write_site(tmp_path), ENVIRONMENT))
    assert reader.changed()
    first = reader.read()
    assert not reader.changed()
    writer.write(load(write_site(tmp_path, SITE.replace("all", "everything")), ENVIRONMENT))
    assert reader.changed()
    assert reader.read().revision != first.revision
    assert not reader.changed()


def test_a_missing_or_broken_snapshot_is_an_error(tmp_path: Path) -> None:
    """Nothing in force, half a file, texts that are not of their revision: none is taken for a configuration."""
    snapshot = Snapshot(tmp_path, ENVIRONMENT)
    with pytest.raises(SnapshotError):
        snapshot.read()
    snapshot.write(load(write_site(tmp_path), ENVIRONMENT))
    file = tmp_path / "configuration" / "active.json"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole[: len(whole) // 2], encoding="utf-8")
    with pytest.raises(SnapshotError):
        snapshot.read()
    file.write_text(json.dumps({**json.loads(whole), "revision": "0" * 12}), encoding="utf-8")
    with pytest.raises(SnapshotError):
        snapshot.read()


def test_a_secret_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    """A role whose environment lacks a variable says which, and takes nothing up."""
    Snapshot(tmp_path, ENVIRONMENT).write(load(write_site(tmp_path), ENVIRONMENT))
    with pytest.raises(ConfigurationError, match="there is no environment variable PASSWORD"):
        Snapshot(tmp_path, {}).read()


ANONYMISING = """
appliance: {data: ./elsewhere}
destinations: {research: {type: folder, path: ./out}}
routes: [{name: out, edit: [anonymise: basic], to: [research]}]
"""


def pseudonym(configuration: Configuration) -> str:
    """What research would get as the patient's ID."""
    copy = configuration.ruleset.prepare("out", header(PatientID="4711", SOPInstanceUID="1.2"), arrival())
    [made] = [each.new for each in copy.changes if each.attribute == "PatientID"]
    assert made is not None
    return made


def test_in_service_pseudonyms_come_of_the_secret_of_the_data_folder_alone(tmp_path: Path) -> None:
    """Whatever folder the texts name: with another secret they are others, and without any no copy is made."""
    tried = load(write_site(tmp_path, ANONYMISING))
    made = []
    for data in (tmp_path / "data", tmp_path / "moved"):
        snapshot = Snapshot(data)
        snapshot.write(tried)
        made.append(pseudonym(snapshot.read()))
        assert pseudonym(load_texts(tried.texts, tried.path, served_from=data)) == made[-1]
        (data / "configuration" / "secret").unlink()
        for served in (snapshot.read(), load_texts(tried.texts, tried.path)):
            with pytest.raises(EditHeldError, match="put data/configuration/secret back"):
                pseudonym(served)
    assert len({pseudonym(tried), *made}) == 3  # what is only tried can be made by everybody


def test_an_earlier_revision_makes_the_pseudonyms_of_the_folder_it_is_served_from(tmp_path: Path) -> None:
    """A data folder that was moved has its secret with it, though the texts of then name another place."""
    now = load(write_site(tmp_path, ANONYMISING.replace("./elsewhere", "./here")))
    Snapshot(now.data).write(now)
    appliance = Appliance.open(now)
    then = load(write_site(tmp_path, ANONYMISING))
    appliance.revisions.remember_texts(then.revision, then.path, then.texts)
    earlier = appliance.revisions.ruleset(then.revision).prepare("out", header(PatientID="4711"), arrival())
    appliance.close()
    assert pseudonym(Snapshot(now.data).read()) in [each.new for each in earlier.changes]
