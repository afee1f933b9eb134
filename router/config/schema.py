"""The JSON Schema of the configuration, for editors: completion, hover help, typing errors. Validates nothing."""

from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_description, dictionary_VR, keyword_dict

from router.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TAG = r"^\([0-9A-Fa-f]{4},[0-9A-Fa-fxX]{4}.*\)"
_PATH = r"^[A-Z][A-Za-z0-9]*(\[\d+\])?\..+$"
_KEYWORD = {"$ref": "#/$defs/Keyword"}
# What an editor shows over a key whose name is the site's own, or an attribute's.
_NAMED_BY_THE_SITE = {
    "sources": "A source: its name is yours, and rules use it.",
    "destinations": "A destination: its name is yours, and routes use it.",
    "tables": "A table: its name is yours; the CSV file it is in.",
}
_KEYED_BY_ATTRIBUTE = {
    "set": "The attribute's new text, or a list of texts; {Keyword} in it stands for a value of the instance.",
    "prefix": "The text to put before each of the attribute's values.",
    "suffix": "The text to put after each of the attribute's values.",
    "truncate": "The number of characters to keep of each of the attribute's values.",
}
_GIVEN = "The attribute's value in the instance; a list is several values."
_EXPECTED = "The value the attribute must have; null: it is absent or empty."


def json_schema() -> dict[str, Any]:
    """The schema; every DICOM keyword is a key that a condition, an edit or a test may have.

    An editor reads `104`, `true` and `${PORT}` each as its own kind of value, where the appliance reads text and
    converts it. So the schema takes text wherever a number is asked for, and the other way round.
    """
    schema = Settings.model_json_schema(by_alias=True, mode="validation")
    definitions = schema["$defs"]
    definitions["Keyword"] = {"anyOf": [{"enum": sorted(_keywords())}, {"pattern": _TAG}, {"pattern": _PATH}]}
    _list_keywords(definitions["ConditionForm"])
    for name, description in (("GivenForm", _GIVEN), ("ExpectForm", _EXPECTED)):
        definitions[name]["additionalProperties"]["description"] = description
        own = {"enum": sorted(definitions[name]["properties"])}
        definitions[name]["propertyNames"] = {"anyOf": [_KEYWORD, own]}
    copies = definitions["ExpectForm"]["properties"]["at"]["additionalProperties"]
    copies["description"] = "A destination, and what the copy it gets must have."
    copies["additionalProperties"]["description"] = _EXPECTED
    for name, description in _NAMED_BY_THE_SITE.items():
        schema["properties"][name]["additionalProperties"]["description"] = description
    edits = definitions["EditForm"]["properties"]
    for name, description in _KEYED_BY_ATTRIBUTE.items():
        edits[name]["additionalProperties"]["description"] = description
        # `prefix: {keyword: PatientID, with: A}` is `prefix: {PatientID: A}` in the manner of the other edits.
        own = {"enum": [] if name == "set" else ["keyword", "with", "width", "length"]}
        edits[name]["propertyNames"] = {"anyOf": [_KEYWORD, own]}
    return {**_plain(schema), "$schema": DIALECT, "title": "micropacs configuration"}


@lru_cache(maxsize=1)
def _keywords() -> dict[str, str]:
    """Every keyword of PS3.6 with its name, tag and VR."""
    return {
        keyword: f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X}) {dictionary_VR(tag)}"
        for keyword, tag in keyword_dict.items()
        if keyword
    }


def _list_keywords(definition: dict[str, Any]) -> None:
    """Name every keyword among the keys, with its help, in place of keys of any name."""
    value = definition["additionalProperties"]
    for keyword, description in sorted(_keywords().items()):
        definition["properties"].setdefault(keyword, {**value, "description": description})
    definition["patternProperties"] = {
        _TAG: {**value, "description": "An attribute by its tag; of a private one also by its creator."},
        _PATH: {**value, "description": "An attribute in an item of a sequence: [0], [1], ..., or without one in any."},
    }
    definition["additionalProperties"] = False


def _plain(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """The same schema as an editor should see it: kinds of values widened, inner names and inner defaults left out."""
    if isinstance(part, list):
        return [_plain(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {key: _plain(each) for key, each in part.items()}
    if isinstance(plain.get("title"), str):
        del plain["title"]
    if "default" in plain and not isinstance(plain["default"], str | bool) and "minimum" not in plain:
        del plain["default"]
    kind = plain.get("type")
    if kind in ("integer", "number"):
        plain["type"] = [kind, "string"]
    elif kind == "boolean":
        del plain["type"]
        plain["enum"] = [True, False, "yes", "no", "on", "off"]
    elif kind == "string" and "pattern" in plain:
        plain["pattern"] = rf"\$\{{|{plain['pattern']}"
    elif kind == "string" and "enum" not in plain and "const" not in plain:
        plain["type"] = ["string", "number", "boolean"]
    return plain
