"""Proves what the demonstration claims of the research folder: that nobody can tell from it whose study it is."""

import hashlib
import hmac
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pydicom import Dataset, dcmread

from router.demo.proof import Sent

_IDENTIFYING = (
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
)
_SHORTEST = 4  # characters; what is shorter stands in any file by chance
_HELD = "select count(*) from deliveries where destination = 'research' and state = 'held'"


def research_files(folder: Path) -> list[Path]:
    """The files the folder has, complete ones only."""
    return sorted(folder.rglob("*.dcm"))


def held_for_research(configuration: Path) -> int:
    """How many copies wait for a person rather than leave."""
    database = configuration.parent / "data" / "micropacs.db"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
            return int(connection.execute(_HELD).fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


def anonymised(sent: Mapping[str, Sent], files: Sequence[Path], secret: str) -> int:
    """How many of the files are one sent instance each, say that they are de-identified, and hold none of its identity.

    The new UID is reckoned here anew, from the secret and the old one.
    """
    by_uid = {path.stem: path for path in files}
    return sum(
        _is_anonymised(each, by_uid[new]) for uid, each in sent.items() if (new := _new_uid(uid, secret)) in by_uid
    )


def _is_anonymised(sent: Sent, path: Path) -> bool:
    before, after = dcmread(sent.path), dcmread(path)
    header = _header_bytes(path, after)
    secrets = [str(before.get(keyword, "")) for keyword in _IDENTIFYING]
    return (
        after.get("PatientIdentityRemoved") == "YES"
        and not any(each.encode() in header for each in secrets if len(each) >= _SHORTEST)
        and before.get("PixelData") == after.get("PixelData")
    )


def _header_bytes(path: Path, read: Dataset) -> bytes:
    """The file without its pixels, in which anything may stand by chance."""
    content = path.read_bytes()
    return content[: len(content) - len(read.get("PixelData", b""))]


def _new_uid(uid: str, secret: str) -> str:
    digest = hmac.digest(secret.encode(), f"uid\0{uid}".encode(), hashlib.sha256)
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"
