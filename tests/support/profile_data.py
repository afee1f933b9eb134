"""Writes rules/profiles/*.json from the standard's tables; a maintainer runs it when there is a new edition.

`python -m tests.support.profile_data ANNEX_E.tsv [HIGHDICOM]`: the table E.1-1 of PS3.15 with a column for each option,
and, for the types of attributes in PS3.3, the folder of the package highdicom (MIT), which has them as JSON.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydicom.datadict import keyword_for_tag

PROFILES = Path(__file__).resolve().parents[2] / "rules" / "profiles"
OPTIONS = {
    "retain_safe_private": "safe-private",
    "retain_uids": "uids",
    "retain_device_identity": "device",
    "retain_institution_identity": "institution",
    "retain_patient_characteristics": "patient-characteristics",
    "retain_full_dates": "full-dates",
    "modified_dates": "modified-dates",
    "clean_descriptors": "descriptors",
    "clean_structured_content": "structured-content",
    "clean_graphics": "graphics",
}
PRIVATE = "(GGGG,EEEE)"
_TAG = re.compile(r"\([0-9A-F]{4},[0-9A-F]{4}\)")


def rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of the table by its columns; a name that goes over several lines is one."""
    lines = text.splitlines()
    columns = lines[0].split("\t")
    pending = ""
    for line in lines[1:]:
        pending = f"{pending} {line}".strip() if pending else line
        if pending.count("\t") >= len(columns) - 1:
            yield dict(zip(columns, pending.split("\t"), strict=True))
            pending = ""


def annex_e(text: str) -> str:
    """The JSON of the table: an attribute a line, with the action of the basic profile and of each option."""
    found = list(rows(text))
    head = {
        "what": "PS3.15 Annex E: X remove, Z empty, D dummy, K keep, C clean, U replace UID; 2026c: basic only",
        "editions": sorted({row["edition"] for row in found}),
        "rows": len(found),
    }
    lines = {}
    for row in found:
        tag = PRIVATE if "GGGG" in row["tag"].upper() else row["tag"]
        options = {ours: row[column] for column, ours in OPTIONS.items() if row[column]}
        lines[tag] = {"name": row["name"].split("(see Note")[0].strip(), "basic": row["basic"], **options}
    return _written(head, {"attributes": lines})


def types(text: str, standard: Path) -> str:
    """The JSON of the types: for each attribute that is removed or emptied, the IODs where it is of type 1 or 2."""
    modules, iods, classes = (
        json.loads((standard / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("module_attribute_map", "iod_module_map", "sop_class_iod_map")
    )
    head = {"what": "PS3.3: where an attribute is of type 1 or 2 (1C, 2C included), from the package highdicom (MIT)"}
    lines = {}
    for row in rows(text):
        keyword = (
            None
            if row["basic"] == "U" or not _TAG.fullmatch(row["tag"])
            else keyword_for_tag("".join(row["tag"][1:-1].split(",")))
        )
        if keyword and (by_type := _iods_by_type(keyword, modules, iods)):
            lines[row["tag"]] = {kind: sorted(names) for kind, names in sorted(by_type.items())}
    return _written(head, {"attributes": lines, "sop_classes": dict(sorted(classes.items()))})


def _written(head: Mapping, sections: Mapping[str, Mapping]) -> str:
    """JSON with an entry a line, so that what an edition changes can be read from a difference."""
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    for name, entries in sections.items():
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items())
        parts.append(f"{json.dumps(name)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _iods_by_type(keyword: str, modules: Mapping, iods: Mapping) -> dict[str, set[str]]:
    """The names of the IODs that have an attribute as type 1 and as type 2; the stricter one where both."""
    found: dict[str, set[str]] = {}
    for iod, parts in iods.items():
        kinds = {
            each["type"][0]
            for part in parts
            for each in modules.get(part["key"], ())
            if each["keyword"] == keyword and not each["path"]
        }
        if kinds & {"1", "2"}:
            found.setdefault(min(kinds), set()).add(iod)
    return found


def main() -> None:
    """Write both files."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    (PROFILES / "annex-e.json").write_text(annex_e(text), encoding="utf-8")
    if len(sys.argv) > 2:
        written = types(text, Path(sys.argv[2]) / "_standard")
        (PROFILES / "types.json").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
