"""Headers, arrivals and rules for tests: real encoded data sets and real YAML, nothing pretended."""

from datetime import UTC, datetime
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from rules import Arrival, Header, Ruleset, RulesSettings, Table, compose

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def encoded(data_set: Dataset, *, implicit: bool = False) -> bytes:
    """The data set in explicit or implicit VR little endian, without preamble and file meta."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, implicit
    write_dataset(stream, data_set)
    return stream.getvalue()


def decoded(data: bytes, *, implicit: bool = False) -> Dataset:
    """The data set of these bytes, in explicit or implicit VR little endian, read by pydicom alone."""
    return read_dataset(BytesIO(data), is_implicit_VR=implicit, is_little_endian=True)


def data_set(**attributes: object) -> Dataset:
    """A data set in UTF-8 with these attributes by keyword."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def header(**attributes: object) -> Header:
    """The header of such a data set."""
    return Header.scan(encoded(data_set(**attributes)), EXPLICIT_LITTLE_ENDIAN)


def arrival(
    source: str | None = "dste",
    calling_ae: str = "GE_DSTE",
    called_ae: str = "MICROPACS",
    host: str = "10.1.1.11",
    at: datetime = MONDAY_NOON,
) -> Arrival:
    """An arrival, by default from the DSTE on a Monday at noon."""
    return Arrival(source, calling_ae, called_ae, host, at)


def settings(yaml: str) -> RulesSettings:
    """Rules as they stand in a configuration file."""
    return RulesSettings.model_validate(compose(yaml, "rules.yaml").plain() or {})


def ruleset(yaml: str, tables: dict[str, str] | None = None, *, original_attributes: bool = False) -> Ruleset:
    """Rules ready to decide; `tables` are CSV texts by name."""
    read = {name: Table.from_csv(name, text) for name, text in (tables or {}).items()}
    return Ruleset(
        settings(yaml), read, system="MICROPACS", original_attributes=original_attributes, secret=b"of the tests"
    )
