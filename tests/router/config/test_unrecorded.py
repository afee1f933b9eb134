"""Anonymous copies where the archive does not record what was changed: `check` warns, and this is why."""

from pathlib import Path

import pytest

from router.config import Configuration, load
from rules import Attribute
from rules.splicing import edited
from tests.support.rules import arrival, header

SITE = """\
archive: {original_attributes: no}
destinations: {research: {type: folder, path: ./out}}
normalise: [{name: right, edit: [set: {PatientName: Roe^Richard}]}]
routes: [{name: out, edit: [anonymise: {secret: of the trial}], to: [research]}]
"""


def loaded(folder: Path, text: str) -> Configuration:
    """The configuration with this text."""
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, {})


def leaves(configuration: Configuration) -> bool:
    """Whether the name that an instance came with leaves in a copy, where it stands in an attribute that is kept."""
    came = header(PatientName="Doe^Jane", PatientID="4711", SOPInstanceUID="1.2", ManufacturerModelName="of Doe")
    decision = configuration.ruleset.decide(came, arrival())
    assert decision.splice is not None
    kept = edited(came, decision.splice)
    splice = configuration.ruleset.prepare("out", kept, arrival()).splice
    assert splice is not None
    return "Doe" in str(edited(kept, splice).values(Attribute.parse("ManufacturerModelName")))


def test_a_name_that_is_not_recorded_is_not_searched_for(tmp_path: Path) -> None:
    """The name that `normalise` replaced leaves in another attribute, and the warning says so where it stands."""
    configuration = loaded(tmp_path, SITE)
    assert leaves(configuration)
    [warning] = configuration.warnings
    assert (warning.line, warning.column) == (1, 32)
    assert "'out' anonymises" in warning.message
    assert "without original_attributes" in warning.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("original_attributes: no", "verify: never"),
        ("name: out", "name: out, disabled: yes"),
        ("anonymise", "new_uids"),
    ],
)
def test_nothing_is_said_where_nothing_is_lost(tmp_path: Path, old: str, new: str) -> None:
    """Where it is recorded, or where nothing is anonymised."""
    assert not any("anonymises" in each.message for each in loaded(tmp_path, SITE.replace(old, new)).warnings)


def test_a_name_that_is_recorded_does_not_leave(tmp_path: Path) -> None:
    """As it is by default."""
    assert not leaves(loaded(tmp_path, SITE.replace("original_attributes: no", "verify: never")))
