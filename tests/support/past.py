"""A site whose archive was filled by the product's own filing, for tests of what looks back at it."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from archive import Identity, Origin
from router.appliance import Appliance
from router.config import load
from router.ingest import Filer
from tests.support.arrivals import CT
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

PIXELS = b"\xe0\x7f\x10\0OW\0\0" + (512).to_bytes(4, "little") + bytes(512)


class PastSite:
    """An appliance without processes: what arrives is filed by hand, under the configuration in force."""

    def __init__(self, folder: Path, yaml: str) -> None:
        """The configuration is written to `micropacs.yaml` in the folder."""
        self.folder = folder
        self.file = folder / "micropacs.yaml"
        self.file.write_text(yaml, encoding="utf-8")
        self.configuration = load(self.file)
        self.appliance = Appliance.open(self.configuration)
        parts = self.appliance
        self.filer = Filer(
            parts.database, parts.spool, parts.archive, parts.queue, parts.journal, lambda: self.configuration
        )

    @classmethod
    @contextmanager
    def copied(cls, filled: Path, folder: Path, yaml: str) -> Iterator[Self]:
        """The site that fills another folder, again in this one."""
        shutil.copytree(filled, folder, dirs_exist_ok=True)
        site = cls(folder, yaml)
        yield site
        site.close()

    def arrive(
        self,
        study: int,
        number: int = 1,
        *,
        ae: str = "GE_DSTE",
        host: str = "10.1.1.11",
        at: datetime | None = None,
        more: bytes = PIXELS,
        **attributes: object,
    ) -> None:
        """One sealed instance of study 1.2.<study>; `more` is what follows the attributes."""
        uid = f"1.2.{study}.1.{number}"
        values = {
            "SOPClassUID": CT,
            "SOPInstanceUID": uid,
            "StudyInstanceUID": f"1.2.{study}",
            "SeriesInstanceUID": f"1.2.{study}.1",
            "Modality": "CT",
            "PatientID": str(1234000 + study),
            "PatientName": "HONG^GILDONG",
            **attributes,
        }
        kept = {keyword: value for keyword, value in values.items() if value is not None}
        self.receive(encoded(data_set(**kept)) + more, uid, ae=ae, host=host, at=at)

    def receive(
        self,
        content: bytes,
        uid: str,
        *,
        ae: str = "GE_DSTE",
        host: str = "10.1.1.11",
        at: datetime | None = None,
        syntax: str = EXPLICIT_LITTLE_ENDIAN,
    ) -> None:
        """One sealed instance of these bytes, in this transfer syntax."""
        came = Origin(None, ae, "MICROPACS", host, at or datetime.now(UTC))
        with self.appliance.spool.open(Identity(CT, uid, syntax), came) as incoming:
            incoming.write(content)
            incoming.seal()

    def file_all(self) -> None:
        """File everything that has arrived."""
        while self.filer.file_arrivals():
            pass

    def new(self, yaml: str, name: str = "new.yaml") -> Path:
        """Another configuration, beside the one in force."""
        path = self.folder / name
        path.write_text(yaml, encoding="utf-8")
        return path

    def files(self) -> list[Path]:
        """The kept files, by their names."""
        return sorted((self.folder / "data" / "archive").glob("??/??/*/*.dcm"))

    def fingerprint(self) -> dict[str, str]:
        """The digest of every file in the data folder except the database's own, and of all the database's rows."""
        data = self.folder / "data"
        files = (path for path in data.rglob("*") if path.is_file() and not path.name.startswith("micropacs.db"))
        found = {path.relative_to(data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        with self.appliance.database.read() as connection:
            tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            for table in tables:
                rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
                found[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
        return found

    def close(self) -> None:
        """Let it go."""
        self.appliance.close()


def days_ago(days: float) -> datetime:
    """So many days before now."""
    return datetime.now(UTC) - timedelta(days=days)
