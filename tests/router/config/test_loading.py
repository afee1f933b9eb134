"""From files to a configuration: defaults, references, includes, tables, revision, and back from stored texts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.config import Address, Configuration, ConfigurationError, Secret, load, load_texts
from rules import GiveUp, run_tests

ENVIRONMENT = {"CLOUD_TOKEN": "token-of-the-cloud", "RESEARCH_SECRET": "salt-of-the-earth", "PASSWORD": "hunter2"}
SMALL = """
sources: {ct: {ae_title: CT1, host: 10.1.1.1}}
destinations: {pacs: {ae_title: PACS, host: 10.1.1.2}}
routes: [{name: all, to: [pacs]}]
"""
# The example of the reference documentation, whole.
DOCUMENTED = """
appliance:
  ae_title: MICROPACS
  listen: 0.0.0.0:11112
  web: 127.0.0.1:8080
  data: ./data
  unknown_sources: refuse
sources:
  dste:     {ae_title: GE_DSTE,  host: 10.1.1.11}
  dls:      {ae_title: GE_DLS,   host: 10.1.1.12}
  biograph: {ae_title: BIOGRAPH, host: 10.1.1.13}
destinations:
  full-pacs:
    type: dicom
    ae_title: HOSPITAL
    host: pacs.example.org
    port: 104
    retry: {first: 30s, factor: 2, longest: 1h, give_up: never}
    commitment: true
    window: "18:00-07:00"
    connections: 2
  reading-room: {type: dicom, ae_title: XELERIS, host: 10.1.1.31, port: 4006}
  research:     {type: folder, path: /export/research}
  cloud:        {type: dicomweb, url: https://example.org/dicom-web, token: "${CLOUD_TOKEN}"}
tables:
  old-ids: tables/old-patient-ids.csv
normalise:
  - name: pad short patient IDs to eight digits
    when: {PatientID: {matches: '\\d{1,7}'}}
    edit:
      - pad: {keyword: PatientID, width: 8, with: "0"}
  - name: translate the IDs of the old scanner
    when: {source: dls}
    edit:
      - lookup: {keyword: PatientID, table: old-ids, missing: hold}
      - set: {InstitutionName: National Cancer Center, IssuerOfPatientID: NCC}
routes:
  - name: everything to the hospital PACS when the study is quiet
    when: {Modality: [PT, CT, NM]}
    after: study quiet 60s
    to: [full-pacs]
  - name: today's scans to the reading room at once
    when: {source: [dste, biograph]}
    priority: high
    to: [reading-room]
  - name: trial patients to research, without names
    when:
      all:
        - {StudyDescription: "*FDG TRIAL*"}
        - not: {PatientName: "*TEST*"}
    edit:
      - anonymise: {profile: basic, keep: [patient-characteristics, device], dates: shift, secret: "${RESEARCH_SECRET}"}
    to: [research]
otherwise: archive
archive: {when_same_uid_differs: keep-first, free_space: 20GB, verify: every 30d}
tests:
  - name: a short ID from the DSTE is padded and reaches both places
    given: {source: dste, Modality: PT, PatientID: "1234567"}
    expect: {to: [full-pacs, reading-room], PatientID: "01234567"}
  - name: an unknown ID from the old scanner waits for a person
    given: {source: dls, Modality: CT, PatientID: "999"}
    expect: {held: true}
"""


def loaded(folder: Path, text: str, others: Mapping[str, str] | None = None) -> Configuration:
    """The configuration in `text`, with other files beside it; it must load."""
    for name, content in {"site.yaml": text, **(others or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return load(folder / "site.yaml", ENVIRONMENT)


def refused(folder: Path, text: str, others: Mapping[str, str] | None = None) -> list[str]:
    """The problems of a configuration that must not load, without the folder."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, text, others)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_documented_example_parses_but_for_what_is_not_available(tmp_path: Path) -> None:
    """The example of the documentation is refused only for the two things this version does not do, by name."""
    found = refused(tmp_path, DOCUMENTED, {"tables/old-patient-ids.csv": "old,new\n1,2\n"})
    assert found == [
        "site.yaml:19:17: storage commitment (commitment: true) is not available yet",
        "site.yaml:24:24: a destination of type dicomweb is not available yet",
    ]


def test_the_documented_example_without_these_loads_and_passes_its_tests(tmp_path: Path) -> None:
    """Without what is not available the example loads, warns of what has no effect, and its own tests pass."""
    text = DOCUMENTED.replace("    commitment: true\n", "")
    text = "\n".join(line for line in text.splitlines() if "dicomweb" not in line)
    configuration = loaded(tmp_path, text, {"tables/old-patient-ids.csv": "old,new\n1,2\n"})
    assert [warning.message for warning in configuration.warnings] == [
        "appliance.web is not available yet, it has no effect",
    ]
    assert all(result.passed for result in run_tests(configuration.ruleset))
    assert configuration.settings.archive.free_space == 20_000_000_000


def test_an_empty_file_is_an_appliance_with_defaults(tmp_path: Path) -> None:
    """Nothing needs to be written: an empty file listens, refuses everybody and keeps what it has; and is warned of."""
    configuration = loaded(tmp_path, "# nothing yet\n")
    appliance = configuration.settings.appliance
    assert (appliance.ae_title, appliance.listen, appliance.unknown_sources) == (
        "MICROPACS",
        Address("0.0.0.0", 11112),
        "refuse",
    )
    assert configuration.data == tmp_path / "data"
    assert configuration.settings.archive.free_space is None
    assert configuration.settings.archive.original_attributes is True
    assert (appliance.limits.associations, appliance.limits.per_host, appliance.limits.instance) == (
        100,
        50,
        20 * 10**9,
    )
    assert [str(warning) for warning in configuration.warnings] == [f"{tmp_path}/site.yaml:1:1: the file is empty"]


def test_a_destination_has_defaults(tmp_path: Path) -> None:
    """`type: dicom`, port 104, one connection and patient retries may be left out."""
    pacs = loaded(tmp_path, SMALL).settings.destinations["pacs"]
    assert (pacs.type, pacs.port, pacs.connections, pacs.window) == ("dicom", 104, 1, None)
    retry = pacs.retry
    assert (retry.first, retry.factor, retry.longest, retry.give_up) == (30.0, 2.0, 3600.0, GiveUp(None, None))


def test_a_section_that_is_commented_out_is_absent(tmp_path: Path) -> None:
    """A section key with nothing under it counts as not written."""
    assert loaded(tmp_path, SMALL + "tables:\ntests:\n").settings.tables == {}


def test_all_problems_come_at_once_in_order(tmp_path: Path) -> None:
    """Problems of reading, of the schema and between sections are told together, in the order of the file."""
    text = "appliance: {ae_titel: A, database: '${NONE}'}\n"
    text += "routes: [{name: x, to: [nowhere]}]\ndestinations: {a: {host: h}}\n"
    assert [problem.split(":")[1] for problem in refused(tmp_path, text)] == ["1", "1", "2", "3"]


def test_secrets_are_resolved_but_never_kept_or_shown(tmp_path: Path) -> None:
    """The database's password is used, and is in no representation, message or stored text."""
    configuration = loaded(
        tmp_path, "appliance: {database: 'postgresql+psycopg://u:${PASSWORD}@db/micropacs'}\n" + SMALL
    )
    database = configuration.settings.appliance.database
    assert isinstance(database, Secret)
    assert database.reveal() == "postgresql+psycopg://u:hunter2@db/micropacs"
    settings = configuration.settings
    shown = f"{configuration!r} {settings!r} {settings} {settings.appliance!r} {configuration.texts}"
    assert "hunter2" not in shown + settings.model_dump_json(include={"appliance": {"database"}})


def test_rules_of_included_files_follow_in_order(tmp_path: Path) -> None:
    """Rule lists are joined: the main file's first, then each included file's, patterns by file name."""
    configuration = loaded(
        tmp_path,
        SMALL + "include: [last.yaml, 'sites/*.yaml']\n",
        {
            "last.yaml": "routes: [{name: last, to: [pacs]}]\n",
            "sites/b.yaml": "routes: [{name: b, to: [pacs]}]\ndestinations: {b: {ae_title: B, host: h}}\n",
            "sites/a.yaml": "normalise: [{name: a, edit: [{upper: PatientName}]}]\n",
            "sites/.hidden.yaml": "not: [a, configuration",
        },
    )
    assert [rule.name for rule in configuration.settings.routes] == ["all", "last", "b"]
    assert [rule.name for rule in configuration.settings.normalise] == ["a"]
    assert list(configuration.settings.destinations) == ["pacs", "b"]
    assert list(configuration.texts) == ["site.yaml", "last.yaml", "sites/a.yaml", "sites/b.yaml"]
    assert configuration.files == tuple(tmp_path / name for name in configuration.texts)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("sites/*/*.yaml", ["north/a", "south/b"]),
        ("sites/n*/a.yaml", ["north/a"]),
        ("sites/**/*.yaml", ["north/a", "north/deep/c", "south/b", "top"]),
        ("sites/[s]outh/?.yaml", ["south/b"]),
        ("**/c.yaml", ["north/deep/c"]),
    ],
)
def test_patterns_may_name_folders(tmp_path: Path, pattern: str, found: list[str]) -> None:
    """In any part, from the disk and from stored texts; not hidden ones, and brackets of our own folder are none."""
    folder = tmp_path / "[site]"
    folder.mkdir()
    files = ["north/a", "south/b", "north/deep/c", "top", ".hidden/d", "north/.e"]
    others = {
        f"sites/{name}.yaml": f"sources: {{s{number}: {{ae_title: S{number}}}}}\n" for number, name in enumerate(files)
    }
    before = loaded(folder, SMALL + f"include: '{pattern}'\n", others)
    included = [name.removeprefix("sites/").removesuffix(".yaml") for name in before.texts if name.endswith(".yaml")]
    assert included == ["site", *found]
    assert load_texts(before.texts, before.path, ENVIRONMENT).revision == before.revision


def test_a_pattern_that_matches_nothing_is_a_warning(tmp_path: Path) -> None:
    """An empty folder of sites is no mistake, but is told."""
    configuration = loaded(tmp_path, SMALL + "include: sites/*.yaml\n")
    assert [warning.message for warning in configuration.warnings] == ["no file matches 'sites/*.yaml'"]


def test_a_table_is_read_beside_the_file_that_names_it(tmp_path: Path) -> None:
    """A table's path is relative to the file naming it, also in an included file."""
    configuration = loaded(
        tmp_path,
        SMALL + "include: sites/a.yaml\n",
        {
            "sites/a.yaml": "tables: {ids: ids.csv}\n"
            "normalise: [{name: a, edit: [{lookup: {keyword: PatientID, table: ids}}]}]\n",
            "sites/ids.csv": "\ufeffold,new\n1,2\n",
        },
    )
    assert "sites/ids.csv" in configuration.texts


def test_the_revision_is_that_of_all_texts(tmp_path: Path) -> None:
    """The same texts have one revision wherever they stand; one changed letter in any file makes another."""
    others = {"a.yaml": "tables: {ids: ids.csv}\n", "ids.csv": "old,new\n1,2\n"}
    text = SMALL + "include: a.yaml\n"
    first = loaded(tmp_path, text, others).revision
    (tmp_path / "copy").mkdir()
    assert loaded(tmp_path / "copy", text, others).revision == first
    assert loaded(tmp_path, text, others | {"ids.csv": "old,new\n1,3\n"}).revision != first
    assert len(first) == 12


def test_stored_texts_make_the_same_configuration(tmp_path: Path) -> None:
    """From its texts alone, with the files gone, a configuration comes back with its revision, patterns included."""
    others = {"sites/a.yaml": "tables: {ids: ids.csv}\n", "sites/ids.csv": "old,new\n1,2\n"}
    before = loaded(tmp_path, SMALL + "include: sites/*.yaml\n", others)
    for file in before.files:
        file.unlink()
    after = load_texts(before.texts, before.path, ENVIRONMENT)
    assert after.revision == before.revision
    assert after.texts == before.texts
    assert after.settings == before.settings


def test_a_source_without_a_host_and_unused_names_are_warned_of(tmp_path: Path) -> None:
    """What is allowed but odd is a warning at its place."""
    text = "sources: {ct: {ae_title: CT}}\ndestinations: {pacs: {ae_title: PACS, host: h}}\n"
    assert [str(warning).removeprefix(f"{tmp_path}/") for warning in loaded(tmp_path, text).warnings] == [
        "site.yaml:1:11: source 'ct' has no host: any address may use its AE title",
        "site.yaml:2:16: no route sends to destination 'pacs'",
    ]


def test_a_destination_that_is_the_appliance_itself_is_warned_of(tmp_path: Path) -> None:
    """Sending to oneself is a loop, and is told."""
    text = SMALL.replace("ae_title: PACS, host: 10.1.1.2", "ae_title: MICROPACS, host: localhost, port: 11112")
    assert [warning.message for warning in loaded(tmp_path, text).warnings] == [
        "destination 'pacs' is this appliance itself"
    ]


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    """A missing file, and one that is not UTF-8, are one problem each."""
    with pytest.raises(ConfigurationError, match=r"1:1: nowhere\.yaml: No such file or directory"):
        load(tmp_path / "nowhere.yaml", {})
    (tmp_path / "latin.yaml").write_bytes(b"a: b\nname: M\xfcnchen\n")
    with pytest.raises(ConfigurationError, match=r"1:1: latin\.yaml: it is not text in UTF-8 \(line 2\)"):
        load(tmp_path / "latin.yaml", {})


def test_the_time_zone_is_the_named_one_or_the_machines(tmp_path: Path) -> None:
    """`appliance.timezone` decides where clock times are meant; without it the machine does."""
    moment = datetime(2024, 7, 1, 12, tzinfo=UTC)
    seoul = loaded(tmp_path, "appliance: {timezone: Asia/Seoul}\n" + SMALL).zone
    assert moment.astimezone(seoul).isoformat() == "2024-07-01T21:00:00+09:00"
    machine = loaded(tmp_path, SMALL).zone
    assert moment.astimezone(machine) == moment
    assert moment.astimezone(machine).replace(tzinfo=None) == moment.astimezone().replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:11112", Address("0.0.0.0", 11112)),
        ("'[::]:104'", Address("::", 104)),
        ("localhost:4242", Address("localhost", 4242)),
    ],
)
def test_addresses_to_listen_on(text: str, address: Address, tmp_path: Path) -> None:
    """IPv4, IPv6 in brackets and names are addresses to listen on, and read back as they were written."""
    listen = loaded(tmp_path, f"appliance: {{listen: {text}}}\n" + SMALL).settings.appliance.listen
    assert listen == address
    assert str(listen) == text.strip("'")
