"""The JSON Schema of the configuration, for editors: completion, hover help, typing errors. Validates nothing."""

from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_description, dictionary_VR, keyword_dict

from router.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TAG = r"^\([0-9A-Fa-fxX]{4},[0-9A-Fa-fxX]{4}.*\)"
_PATH = r"^[A-Z][A-Za-z0-9]*(\[\d+\])?\..+$"
_KEYED_BY_ATTRIBUTE = ("ConditionForm", "GivenForm", "ExpectForm")


def json_schema() -> dict[str, Any]:
    """The schema; every DICOM keyword is a key that a condition or an edit may have.

    An editor reads `104`, `true` and `${PORT}` each as its own kind of value, where the appliance reads text and
    converts it. So the schema takes wherever a number is asked for a text too, and the other way round.
    """
    schema = Settings.model_json_schema(by_alias=True, mode="validation")
    definitions = schema.get("$defs", {})
    for name in _KEYED_BY_ATTRIBUTE:
        definitions[f"{name}Value"] = definitions[name]["additionalProperties"]
        _add_keywords(definitions[name], {"$ref": f"#/$defs/{name}Value"})
    definitions["Keyword"] = {"anyOf": [{"enum": list(_keywords())}, {"pattern": _TAG}, {"pattern": _PATH}]}
    widened = _widened(schema)
    return {"$schema": DIALECT, "title": "micropacs configuration", **widened}


@lru_cache(maxsize=1)
def _keywords() -> dict[str, str]:
    """Every keyword of PS3.6 with its name, tag and VR."""
    described = {}
    for keyword, tag in sorted(keyword_dict.items()):
        if keyword:
            place = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
            described[keyword] = f"{dictionary_description(tag)} {place} {dictionary_VR(tag)}"
    return described


def _add_keywords(definition: dict[str, Any], value: dict[str, Any]) -> None:
    """Name every keyword among the keys, each with this value, in place of keys of any name."""
    properties = definition.setdefault("properties", {})
    for keyword, description in _keywords().items():
        properties.setdefault(keyword, {**value, "description": description})
    definition["patternProperties"] = {_TAG: value, _PATH: value}
    definition["additionalProperties"] = False


def _widened(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """The same schema, taking text for numbers and truth values, and numbers for text."""
    if isinstance(part, list):
        return [_widened(each) for each in part]
    if not isinstance(part, dict):
        return part
    widened = {key: _widened(each) for key, each in part.items()}
    kind = widened.get("type")
    if kind in ("integer", "number"):
        widened["type"] = [kind, "string"]
    elif kind == "boolean":
        del widened["type"]
        widened["enum"] = [True, False, "yes", "no", "on", "off"]
    elif kind == "string" and "pattern" in widened:
        widened["pattern"] = rf"\$\{{|{widened['pattern']}"
    elif kind == "string" and "enum" not in widened and "const" not in widened:
        widened["type"] = ["string", "number", "boolean"]
    return widened
