"""The JSON Schema accepts what the appliance accepts, knows every keyword, and finds typing errors."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from router.config import json_schema

EXAMPLE = Path(__file__).parents[3] / "examples" / "hospital.yaml"


TYPING_ERRORS = {
    "apliance": "apliance: {ae_title: A}",
    "hots": "destinations: {a: {ae_title: A, hots: h}}",
    "InstittionName": "normalise: [{name: x, edit: [{set: {InstittionName: A}}]}]",
    "sett": "normalise: [{name: x, edit: [{sett: {InstitutionName: A}}]}]",
    "StudyDescripton": "routes: [{name: x, when: {StudyDescripton: A}, to: [a]}]",
    "study quite 60s": "routes: [{name: x, after: study quite 60s, to: [a]}]",
    "Modalty": "tests: [{name: x, given: {Modalty: PT}, expect: {held: true}}]",
}
# As an editor reads them: a number, a truth value, a text or a reference where the appliance takes text.
KINDS = """
destinations:
  a: {ae_title: 1234, host: "${HOST}", port: "104"}
  b: {ae_title: B, host: h, port: "${PORT}", window: "${WINDOW}", retry: {give_up: 20 attempts}}
routes:
  - {name: 1, disabled: yes, when: {PatientID: 123, SliceThickness: {below: 5}, "(0019,xx0C GEMS_ACQU_01)": x}, to: [a]}
include: sites/*.yaml
"""
# Edits of later versions, and the ways an edit of names may be written.
EDITS = """
normalise:
  - name: later
    edit:
      - anonymise: {profile: basic, keep: [device], dates: shift, secret: "${RESEARCH_SECRET}"}
      - transcode: 1.2.840.10008.1.2.1
  - name: names
    edit: [{upper: PatientName}, {strip: [PatientID]}, {lower: {keyword: StudyID}}, {set: {ImageType: [A, B]}}]
"""


def checked(folder: Path, *files: Path) -> tuple[int, str]:
    """What check-jsonschema says of these files: exit code and output."""
    schema = folder / "micropacs.schema.json"
    schema.write_text(json.dumps(json_schema()), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_the_appliance_takes_is_valid(tmp_path: Path) -> None:
    """The example passes, a value of any kind where the appliance reads text, and every edit of the documentation."""
    kinds, edits = tmp_path / "kinds.yaml", tmp_path / "edits.yaml"
    kinds.write_text(KINDS, encoding="utf-8")
    edits.write_text(EDITS, encoding="utf-8")
    code, output = checked(tmp_path, EXAMPLE, kinds, edits)
    assert code == 0, output


def test_typing_errors_are_found(tmp_path: Path) -> None:
    """A misspelt key, keyword, edit or word is refused by the schema already, each in its own file."""
    files = []
    for number, text in enumerate(TYPING_ERRORS.values()):
        files.append(tmp_path / f"error-{number}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    code, output = checked(tmp_path, *files)
    assert code == 1
    assert [word for word in TYPING_ERRORS if word not in output] == []
    assert [file.name for file in files if file.name not in output] == []


def test_keywords_have_help() -> None:
    """Each keyword of a condition tells its name, tag and VR."""
    patient_id = json_schema()["$defs"]["ConditionForm"]["properties"]["PatientID"]
    assert patient_id["description"] == "Patient ID (0010,0020) LO"


def keys(part: object, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema gives a form, at any depth, with that form: by name, by pattern, or of any name."""
    if isinstance(part, dict):
        for kind in ("properties", "patternProperties"):
            for name, form in part.get(kind, {}).items():
                yield f"{where}.{name}", form
        if isinstance(part.get("additionalProperties"), dict):
            yield f"{where}.*", part["additionalProperties"]
        for name, inner in part.items():
            yield from keys(inner, f"{where}/{name}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from keys(inner, f"{where}/{number}")


def test_every_key_has_help() -> None:
    """Over each key an editor shows what it is: its own description, or that of the form it refers to."""
    schema = json_schema()

    def helped(form: dict[str, Any]) -> str:
        while "description" not in form and "$ref" in form:
            form = schema["$defs"][form["$ref"].removeprefix("#/$defs/")]
        return form.get("description", "").strip()

    found = dict(keys(schema, ""))
    assert len(found) > 5000
    assert [where for where, form in found.items() if not helped(form)] == []


def test_the_schema_is_plain_json_and_fits_an_editor() -> None:
    """The schema survives JSON and stays below a megabyte."""
    text = json.dumps(json_schema(), separators=(",", ":"))
    assert from_json(text) == json_schema()
    assert len(text) < 1_000_000
