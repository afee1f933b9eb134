"""`micropacs replay`: what it says to people and programs, and its exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from router.cli.application import application
from router.config import Snapshot
from tests.support.past import PastSite, days_ago

YAML = r"""
appliance: {data: ./data}
sources: {dste: {ae_title: GE_DSTE, host: 10.1.1.11}}
destinations:
  pacs: {ae_title: PACS, host: 127.0.0.1, port: 11104}
  research: {type: folder, path: ./export}
normalise:
  - {name: pad, when: {PatientID: {matches: '\d{1,7}'}}, edit: [pad: {keyword: PatientID, width: 8, with: "0"}]}
routes:
  - {name: all, when: {Modality: CT}, to: [pacs]}
otherwise: hold
"""
ALSO = YAML.replace("otherwise", "  - {name: trial, when: {StudyDescription: TRIAL}, to: [research]}\notherwise")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site: five CT studies, two of them of the trial, one older than a month, and a held report."""
    folder = tmp_path_factory.mktemp("past")
    site = PastSite(folder, YAML)
    for study in range(1, 5):
        site.arrive(study, StudyDescription="TRIAL" if study <= 2 else None)
    site.arrive(5, at=days_ago(40))
    site.arrive(6, Modality="SR", more=b"")
    site.file_all()
    site.close()
    return folder


@pytest.fixture
def site(filled: Path, tmp_path: Path) -> Iterator[PastSite]:
    """The site, for one test alone."""
    with PastSite.copied(filled, tmp_path, YAML) as site:
        yield site


def run(site: PastSite, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a replay."""
    done = CliRunner().invoke(application, ["-c", str(site.file), "replay", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_nothing_differs(site: PastSite) -> None:
    """Exit code 0, and the number of what was replayed; `--since` leaves out what is older."""
    new = site.new(YAML + "# the same\n")
    code, output, _ = run(site, new)
    assert code == 0
    assert "6 studies replayed, 6 instances, 1 of them in hold" in output
    assert "nothing would differ" in output
    assert "5 studies replayed" in run(site, new, "--since", "30d")[1]


def test_what_differs_is_told_to_people(site: PastSite) -> None:
    """Exit code 1; studies that would go elsewhere with examples, headers with values, holds with rule and reason."""
    yaml = ALSO.replace("width: 8", "width: 9").replace("otherwise: hold", "otherwise: archive")
    code, output, _ = run(site, site.new(yaml))
    assert code == 1
    assert "2 of 6 studies would also go to research (2 instances)\n    1.2.2\n    1.2.1" in output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert "the archive PatientID 5 5 01234005 001234005 1" in lines
    assert "gone held otherwise no route matched, and otherwise is hold 1 1 1.2.6" in lines
    assert "1.2.1 1 of 1 research 1" in lines
    assert "nothing would differ" not in output


def test_values_can_be_hidden(site: PastSite) -> None:
    """With --no-values neither people nor programs see one; the counts stay."""
    new = site.new(YAML.replace("width: 8", "width: 9"))
    for arguments in ((), ("--json",)):
        assert "01234001" in run(site, new, "--examples", 10, *arguments)[1]
        code, output, errors = run(site, new, "--no-values", *arguments)
        assert code == 1
        assert "123400" not in output + errors
        assert "PatientID" in output


def test_what_differs_is_told_to_programs(site: PastSite) -> None:
    """With --json all of it, with as many examples as asked for."""
    code, output, _ = run(site, site.new(ALSO.replace("width: 8", "width: 9")), "--json", "--examples", 1)
    told = json.loads(output)
    assert (code, told["ok"], told["studies"], told["instances"], told["in_hold"]) == (1, False, 6, 6, 1)
    assert told["routing"] == [
        {"destination": "research", "change": "also", "studies": 2, "instances": 2, "examples": ["1.2.2"]}
    ]
    [header] = told["headers"]
    assert (header["at"], header["attribute"], header["instances"], header["studies"]) == (None, "PatientID", 5, 5)
    assert [len(example["new"]) for example in header["examples"]] == [9]
    assert {each["study"]: list(each["to"]) for each in told["by_study"]} == {
        "1.2.1": ["pacs", "research"],
        "1.2.2": ["pacs", "research"],
        "1.2.3": ["pacs"],
        "1.2.4": ["pacs"],
        "1.2.5": ["pacs"],
    }
    assert (told["gained"], told["lost"], told["not_replayed"]) == ([], [], [])


def test_one_study_or_the_newest(site: PastSite) -> None:
    """`--study` replays it alone and `--limit` the newest instances; a study that never came is exit code 1."""
    new = site.new(ALSO)
    assert json.loads(run(site, new, "--study", "1.2.3", "--json")[1])["studies"] == 1
    assert run(site, new, "--study", "1.2.3")[0] == 0
    assert run(site, new, "--study", "1.2.1")[0] == 1
    assert json.loads(run(site, new, "--limit", 2, "--json")[1])["instances"] == 2
    code, _, errors = run(site, new, "--study", "1.2.99")
    assert code == 1
    assert "nothing of study 1.2.99 has arrived" in errors


def test_a_damaged_file_is_named(site: PastSite) -> None:
    """What could not be replayed is counted and named; the others are replayed."""
    file = site.files()[0]
    file.write_bytes(file.read_bytes()[:-2])
    new = site.new(YAML)
    code, output, _ = run(site, new)
    assert code == 0
    assert "Not replayed: 1 instance" in output
    assert "nothing would differ in what could be replayed" in output
    assert file.stem in output
    [told] = json.loads(run(site, new, "--json")[1])["not_replayed"]
    assert (told["file"], told["reason"]) == (str(file), "the file is not as long as it was")


def test_a_wrong_configuration_is_refused_with_all_its_problems(site: PastSite) -> None:
    """Exit code 2, each problem with its place, as `check` has them; also for programs."""
    new = site.new(YAML.replace("to: [pacs]", "to: [pasc]").replace("width: 8", "width: x"))
    checked = CliRunner().invoke(application, ["-c", str(new), "check"])
    code, _, errors = run(site, new)
    assert code == 2
    assert errors == checked.stderr
    assert errors.count("new.yaml:") == 2
    code, output, _ = run(site, new, "--json")
    assert code == 2
    assert len(json.loads(output)["problems"]) == 2
    assert run(site, site.folder / "none.yaml")[0] == 2


def test_its_own_tests_run_first(site: PastSite) -> None:
    """Exit code 2 where one fails, and which; nothing is replayed then."""
    new = site.new(YAML + "tests: [{name: goes nowhere, given: {Modality: CT}, expect: {to: []}}]\n")
    code, output, errors = run(site, new)
    assert code == 2
    assert "✗ goes nowhere" in output
    assert "a test fails" in errors
    assert "replayed" not in output
    assert json.loads(run(site, new, "--json")[1])["tests"][0]["passed"] is False


@pytest.mark.parametrize("arguments", [("--since", "soon"), ("--limit", 0), ("--examples", -1)])
def test_wrong_use_is_told(site: PastSite, arguments: tuple[object, ...]) -> None:
    """Exit code 2."""
    assert run(site, site.new(YAML), *arguments)[0] == 2


def test_what_runs_counts_not_what_the_file_says_now(site: PastSite) -> None:
    """The edited file itself can be tried while another configuration is in force."""
    Snapshot(site.configuration.data).write(site.configuration)
    site.file.write_text(ALSO, encoding="utf-8")
    assert run(site, site.file)[0] == 1
    assert run(site, site.new(YAML + "#\n"))[0] == 0


def test_pseudonyms_are_the_sites_wherever_the_new_file_lies(
    site: PastSite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A configuration tried from another folder makes the same pseudonyms as the one in force."""
    yaml = YAML.replace("to: [pacs]", "edit: [anonymise: basic], to: [pacs]")
    site.file.write_text(yaml, encoding="utf-8")
    Snapshot(site.configuration.data).write(site.configuration)
    (site.configuration.data / "configuration" / "active.json").unlink()
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "new.yaml"
    elsewhere.write_text(yaml.replace("anonymise: basic", "anonymise: {profile: basic, dates: remove, keep: []}"))
    assert run(site, elsewhere)[0] == 0


def test_an_appliance_that_never_ran_is_told(tmp_path: Path) -> None:
    """Exit code 3, and nothing is made in its folder."""
    path = tmp_path / "micropacs.yaml"
    path.write_text(YAML, encoding="utf-8")
    done = CliRunner().invoke(application, ["-c", str(path), "replay", str(path)])
    assert done.exit_code == 3
    assert "has not run" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["micropacs.yaml"]


def test_nothing_is_written(site: PastSite) -> None:
    """Every file and row is afterwards as it was before, and no file has come."""
    new = site.new(ALSO)
    before = site.fingerprint()
    run(site, new)
    assert site.fingerprint() == before
