"""Undoing gives back every byte, on real files in every transfer syntax, whatever the edit has gone through."""

import zlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from rules import AnyEdit, Draft, EditContext, EditError, Header, HeaderError, Splice, undo
from rules.edits import Edit
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.rules import arrival

FILES = sample("series", "pet-ct-templates", "modalities", "transfer-syntaxes", "charsets", "malformed", series=1)
CONTEXT = EditContext(arrival(), {}, b"of the tests")
WHOLE: dict[str, Any] = {
    "anonymise": {"profile": "basic", "burned_in": "trust"},
    "new_uids": "yes",
    "shift_dates": {"days": "-30"},
    "private": "remove",
}
EDIT: TypeAdapter[Edit] = TypeAdapter(AnyEdit)
EDITS = {name: EDIT.validate_python({name: value}) for name, value in WHOLE.items()}
SYNTAXES = {
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.5",
}


def spliced(header: Header, edit: Edit) -> Splice | None:
    """The splice that one edit makes, None where these bytes cannot be edited or the edit has nothing to do."""
    draft = Draft(header)
    try:
        edit.apply(draft, CONTEXT)
        return draft.splice() if draft.changed else None
    except EditError:
        assert not header.editable or header.top.repeated
        return None


@needs_data
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_undo_is_the_identity(path: Path) -> None:
    """What an edit of the whole header makes is undone to the byte, and what follows the header is as it came."""
    data, syntax = data_set(path)
    try:
        header = Header.scan(data, syntax)
    except HeaderError:
        return
    for name, edit in EDITS.items():
        splice = spliced(header, edit)
        if splice is None:
            continue
        original = undo(splice.prefix, splice.restore)
        if header.deflated:
            assert zlib.decompress(original, -15) == zlib.decompress(data, -15), name
        else:
            assert original == data[: splice.resume], name
            assert splice.prefix != original, name
        Header.scan(splice.prefix + data[splice.resume :], syntax)


@needs_data
def test_the_files_are_of_every_transfer_syntax() -> None:
    """The files are of all kinds of transfer syntax, and each edit has something to do on many of them."""
    headers: dict[str, Header] = {}
    for path in FILES:
        try:
            headers.setdefault(data_set(path)[1], Header.scan(*data_set(path)))
        except HeaderError:
            continue
    assert headers.keys() >= SYNTAXES
    for name, least in {"anonymise": 15, "new_uids": 15, "shift_dates": 5, "private": 3}.items():
        changed = [syntax for syntax, header in headers.items() if spliced(header, EDITS[name])]
        assert len(changed) >= least, (name, changed)
