"""The benchmarks run: a real measurement with a study of a few instances. No time is asserted."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASUREMENTS, keep, main, run
from benchmarks.settings import Settings
from benchmarks.table import BEGIN, END
from tests.support.dcmtk import needs_dcmtk

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), needs_dcmtk, pytest.mark.peer]


@pytest.mark.slow
def test_a_measurement_from_end_to_end(tmp_path: Path) -> None:
    """A study goes from our own sender to ours and to storescp; the figure reaches table, record and document."""
    work, record, document = tmp_path / "work", tmp_path / "record.json", tmp_path / "document.md"
    work.mkdir()
    document.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    settings = Settings(work, rounds=1, scale=0.01)
    figures, failed = run(["sender"], settings)
    assert not failed
    keep(figures, "a machine", settings, record, document)
    (line,) = json.loads(record.read_text(encoding="utf-8"))["figures"]
    assert line["ours"] > 0
    assert line["peer"] > 0
    assert line["verdict"] in {"beyond", "reached", "missed"}
    assert "| receive from our own sender |" in document.read_text(encoding="utf-8")


def test_a_measurement_that_fails_leaves_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named with its reason, and the rest is measured."""
    figures, failed = run(["no_such_measurement", "scan"], Settings(tmp_path, rounds=1, scale=0.01))
    assert failed == ["no_such_measurement"]
    assert figures[0].what.startswith("header scan + 12 attributes")
    assert "no_such_measurement could not be measured" in capsys.readouterr().err


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists the measurements there are."""
    with pytest.raises(SystemExit):
        main(["--only", "receve"])
    said = capsys.readouterr().err
    assert all(name in said for name in MEASUREMENTS)


@pytest.mark.parametrize("content", [None, "no markers"])
def test_a_document_without_a_place_for_the_table_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    """Before a quarter of an hour is measured, not after it."""
    document = tmp_path / "document.md"
    if content is not None:
        document.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--write", str(document)])
    assert "document" in capsys.readouterr().err
