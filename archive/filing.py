"""What is to be filed, under which key, and where it lies then. Values and names only: touches no disk."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from archive.entry import Entry

INCOMING = "incoming"  # the folder, below the archive's, of files being written


class InstanceKey(NamedTuple):
    """What tells instances apart: a SOP instance UID may come in two series, and then both are kept."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Filing:
    """An entry and how it is to be kept: its data set as it came, or `prefix` and then the original from `resume` on.

    `key` is that of the data set as kept; `resume` is in bytes from the start of the original data set.
    """

    entry: Entry
    key: InstanceKey
    prefix: bytes | None = None
    resume: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """Where it lies: `file` below the archive's folder, with `/`; `digest` and `bytes` are of the data set as kept."""

    file: str
    digest: str
    bytes: int
    data_set_offset: int


@dataclass(frozen=True, slots=True)
class Version:
    """Another version of a kept file: `prefix`, and then its data set, of this `digest`, from byte `resume` on.

    `study_uid` is that of the study it belongs to, None where it is the one of the kept file.
    """

    file: str
    digest: str
    prefix: bytes
    resume: int
    study_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Where a version lies; `checksum` (XXH3-64, hex) is that of its data set."""

    placed: Placed
    checksum: str


def study_folder(study_uid: str) -> str:
    """The folder of a study below the archive's: made from a hash of the UID, so that nothing received is in a path."""
    digest = hashlib.sha256(b"study\0" + study_uid.encode("utf-8", "replace")).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}/{digest[4:28]}"
