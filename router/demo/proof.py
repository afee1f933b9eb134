"""Proves what the demonstration claims: reads what was sent, kept and received, and compares. Moves nothing."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from router.appliance import Appliance

PATIENT_ID, ORIGINAL_ATTRIBUTES = 0x00100020, 0x04000561
SHORT_ID = re.compile(r"\d{1,7}")
WIDTH = 8


@dataclass(frozen=True, slots=True)
class Sent:
    """One file of the scanner."""

    path: Path
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What the archive has of it: the digest (SHA-256) of the data set, read again from the disk."""

    path: Path
    digest: str
    is_whole: bool


def sent_files(files: Iterable[Path]) -> dict[str, Sent]:
    """The scanner's files by SOP Instance UID."""
    found = {}
    for path in files:
        uid = str(dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)
        found[uid] = Sent(path, uid)
    return found


def kept_instances(appliance: Appliance, uids: Iterable[str]) -> dict[str, Kept]:
    """What the archive keeps under these UIDs, every file read and its digest computed again."""
    ids = [number for uid in uids for number in appliance.archive.select({"SOPInstanceUID": uid})]
    kept = {}
    for stored in appliance.archive.stored(ids).values():
        with stored.path.open("rb") as file:
            file.seek(stored.data_set_offset)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        kept[stored.identity.sop_instance_uid] = Kept(stored.path, digest, digest == stored.digest)
    return kept


def differs_as_ruled(sent: Sent, kept: Kept) -> bool:
    """Whether the kept instance is the sent one but for the patient ID the rule pads, and the record of that change."""
    before, after = dcmread(sent.path), dcmread(kept.path)
    expected = before.get("PatientID") or ""
    is_short = SHORT_ID.fullmatch(expected) is not None
    if (after.get("PatientID") or "") != (expected.zfill(WIDTH) if is_short else expected):
        return False
    if is_short and len(expected) < WIDTH and not _records(after, expected):
        return False
    return _without_ruled(before) == _without_ruled(after)


def received_unaltered(kept: Mapping[str, Kept], received: Mapping[str, str]) -> int:
    """How many instances a destination (`received`: digest by UID) has exactly as the archive has them."""
    return sum(received.get(uid) == instance.digest for uid, instance in kept.items())


def _records(after: Dataset, expected: str) -> bool:
    items = after.get("OriginalAttributesSequence") or []
    return any(item.ModifiedAttributesSequence[0].get("PatientID") == expected for item in items)


def _without_ruled(dataset: Dataset) -> Dataset:
    for tag in (PATIENT_ID, ORIGINAL_ATTRIBUTES):
        if tag in dataset:
            del dataset[tag]
    return dataset
