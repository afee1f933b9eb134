"""What a pydantic schema refused, as problems with file, line and column. Validates nothing itself."""

import difflib
import re
import types
from collections.abc import Iterable
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, PlainValidator, Tag, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import is_typeddict

from rules.document import Document, Loc, Problem

_NOT_INPUT = re.compile(r"^\w+ should")  # "Input should be", "String should have"
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` was probably meant to be, without regard to case; None if none is close."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def problems_from(error: ValidationError, document: Document, model: object = None) -> list[Problem]:
    """Every error of a validation as a problem, at its place in the document.

    `model` is the type that was validated; with it an unknown key gets a suggestion. Values are quoted as they
    are: `Document.concealed_in` takes secrets out.
    """
    errors = [details for details in error.errors(include_url=False) if not _is_echo(details)]
    return list(dict.fromkeys(_problem(details, document, model) for details in errors))


def _is_echo(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items, each refused by itself, were left out."""
    value = details["input"]
    return details["type"] == "too_short" and isinstance(value, list) and len(value) >= details["ctx"]["min_length"]


def _problem(details: ErrorDetails, document: Document, model: object) -> Problem:
    loc = tuple(step for step in details["loc"] if step != "[key]")
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    is_key = kind == "extra_forbidden" or "[key]" in details["loc"]
    if "key" in context:  # a validator of a whole mapping names the key that it means
        loc = (*loc, str(context["key"]))
        value = value.get(context["key"]) if isinstance(value, dict) else value
    position = document.position(loc, of_key=is_key or value is None)
    suggestion = context.get("suggestion") or closest(str(value), str(context.get("known", "")).split(", "))
    if kind == "extra_forbidden":
        message, suggestion = f"unknown key {loc[-1]!r}", closest(str(loc[-1]), _keys_at(model, loc[:-1]))
    elif kind == "missing":
        message = f"{str(loc[-1])!r} is missing"
    elif value is None and kind in _EXPECTED:
        message = f"{_name(loc)} has no value"
    elif kind in _EXPECTED:
        message = f"{_name(loc)} must be {_EXPECTED[kind]}" + _shown(value)
    elif kind in ("literal_error", "enum"):
        message = f"{_name(loc)} must be {context['expected']}" + _shown(value)
        suggestion = closest(str(value), context["expected"].split("'")[1::2])
    elif kind in ("value_error", "assertion_error"):
        message = str(context.get("error", details["msg"]))
    elif "_" in kind and kind.startswith(("greater", "less", "too_", "string_too", "finite", "multiple")):
        message = f"{_name(loc)} {_NOT_INPUT.sub('must', details['msg'])}"
    else:
        message = details["msg"]
    return Problem.at(position, message, suggestion)


def _name(loc: Loc) -> str:
    names = [str(step) for step in loc if isinstance(step, str)]
    name = repr(names[-1]) if names else "the file"
    return f"item {loc[-1] + 1} of {name}" if loc and isinstance(loc[-1], int) else name


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f", not {value!r}"
    kind = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else None
    return f", not {kind}" if kind else ""


def _keys_at(model: object, loc: Loc) -> set[str]:
    """The keys that the schema `model` knows at `loc`."""
    candidates = _alternatives(model)
    for step in loc:
        deeper = [found for candidate, _ in candidates for found in _below(candidate, step)]
        tagged = [pair for pair in candidates if pair[1] == step]
        candidates = deeper or tagged or candidates
    return {
        field.alias or name
        for candidate, _ in candidates
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name, field in candidate.model_fields.items()
    }


def _alternatives(annotation: object, tag: str | None = None) -> list[tuple[Any, str | None]]:
    """Every type that an annotation allows, with its tag in a tagged union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        tags = [item.tag for item in metadata if isinstance(item, Tag)]
        forms = [item.json_schema_input_type for item in metadata if isinstance(item, PlainValidator)]
        if forms and is_typeddict(forms[0]):  # read by a function; its form says which keys there are
            inner = forms[0]
        return _alternatives(inner, tags[0] if tags else tag)
    if origin in (Union, types.UnionType):
        return [found for member in get_args(annotation) for found in _alternatives(member, tag)]
    return [(annotation, tag)]


def _below(candidate: object, step: int | str) -> list[tuple[Any, str | None]]:
    """The types one step further in."""
    arguments = get_args(candidate)
    if isinstance(candidate, type) and issubclass(candidate, BaseModel) and isinstance(step, str):
        for name, field in candidate.model_fields.items():
            if step in (name, field.alias):
                return _alternatives(field.annotation)
        return []
    if is_typeddict(candidate):
        return _alternatives(candidate.__annotations__.get(str(step)))
    if isinstance(step, int) and get_origin(candidate) in (list, tuple) and arguments:
        return _alternatives(arguments[0])
    if isinstance(step, str) and get_origin(candidate) is dict and len(arguments) == 2:
        return _alternatives(arguments[1])
    return []
