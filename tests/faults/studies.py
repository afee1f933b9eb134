"""Small studies made from a seed, with what must become of each instance; written by hand, element by element."""

import hashlib
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass

EXPLICIT = "1.2.840.10008.1.2.1"
CT, PET = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128"
INSTANCES = 3
NAME = "Planted^Name"

_LONG = ("OW", "OB", "SQ", "UN")


@dataclass(frozen=True)
class Patient:
    """Who is on the table."""

    name: str
    id: str
    birth_date: str = "19500101"


SOMEBODY = Patient(NAME, "00001234")


@dataclass(frozen=True)
class Instance:
    """One instance as sent, the digest of what the archive must keep of it, and the digest each destination must see.

    `bare` is what an edited copy would be without its edit: the archive's own content.
    """

    uid: str
    sop_class_uid: str
    data: bytes
    bare: str
    to: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The digest of the data set as sent."""
        return digest(self.data)


@dataclass(frozen=True)
class Study:
    """Three instances of one scanner."""

    number: int
    source: str
    instances: tuple[Instance, ...]


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def make_study(seed: int, number: int, content: str = "first", pixel_bytes: int = 512) -> Study:
    """The same seed, number and content give the same bytes; another content gives other pixels under the same UIDs.

    Even studies are CT, odd ones PET; of four, two have IDs of seven digits, which the rules pad to eight.
    """
    is_ct = number % 2 == 0
    patient_id = f"{number % 10**7:07d}" if number % 4 < 2 else f"{number % 10**8:08d}"
    instances = []
    for index in range(INSTANCES):
        uids = [f"2.25.{1 + seed}{number:09d}{kind}" for kind in ("0", "1", f"2{index}")]
        chance = random.Random(f"{seed}/{number}/{index}/{content}")
        pixels = chance.randbytes(pixel_bytes)
        data, kept, blanked = (
            _encoded(is_ct, uids, index, Patient(name, identity), pixels)
            for name, identity in ((NAME, patient_id), (NAME, patient_id.zfill(8)), ("", patient_id.zfill(8)))
        )
        bare = digest(kept)
        to = {"pacs": bare, "reading": bare} if is_ct else {"pacs": bare, "research": digest(blanked)}
        instances.append(Instance(uids[2], CT if is_ct else PET, data, bare, to))
    return Study(number, "ROOM1" if is_ct else "ROOM2", tuple(instances))


def make_series(seed: int, number: int, count: int, pixel_bytes: int = 512) -> list[Instance]:
    """So many CT instances of one study, each with so many bytes of pixels; no destination is expected of them."""
    instances = []
    for index in range(count):
        uids = [f"2.25.{1 + seed}{number:09d}{kind}" for kind in ("0", "1", f"2{index}")]
        pixels = random.Random(f"{seed}/{number}/{index}").randbytes(pixel_bytes)
        data = _encoded(True, uids, index, Patient(NAME, f"{number:08d}"), pixels)
        instances.append(Instance(uids[2], CT, data, digest(data), {}))
    return instances


def make_instance(study: str, series: str, uid: str, patient: Patient = SOMEBODY, content: str = "") -> Instance:
    """One CT instance with these UIDs that no rule changes; `content` decides its pixels."""
    pixels = random.Random(f"{uid}/{content}").randbytes(512)
    data = _encoded(True, [study, series, uid], 0, patient, pixels)
    return Instance(uid, CT, data, digest(data), {})


def _encoded(is_ct: bool, uids: list[str], index: int, patient: Patient, pixels: bytes) -> bytes:
    """The data set in explicit VR little endian."""
    study, series, instance = uids
    elements: list[tuple[int, str, str | int | bytes]] = [
        (0x00080005, "CS", "ISO_IR 100"),
        (0x00080016, "UI", CT if is_ct else PET),
        (0x00080018, "UI", instance),
        (0x00080020, "DA", "20260102"),
        (0x00080030, "TM", "101500"),
        (0x00080050, "SH", patient.id.zfill(8)[-6:]),
        (0x00080060, "CS", "CT" if is_ct else "PT"),
        (0x00080090, "PN", "Referring^Doctor"),
        (0x00081030, "LO", "Faults"),
        (0x00100010, "PN", patient.name),
        (0x00100020, "LO", patient.id),
        (0x00100030, "DA", patient.birth_date),
        (0x00100040, "CS", "O"),
        (0x0020000D, "UI", study),
        (0x0020000E, "UI", series),
        (0x00200010, "SH", "1"),
        (0x00200011, "IS", "1"),
        (0x00200013, "IS", str(index + 1)),
        (0x00280002, "US", 1),
        (0x00280004, "CS", "MONOCHROME2"),
        (0x00280010, "US", 16),
        (0x00280011, "US", 16),
        (0x00280100, "US", 16),
        (0x00280101, "US", 16),
        (0x00280102, "US", 15),
        (0x00280103, "US", 0),
        (0x7FE00010, "OW", pixels),
    ]
    return b"".join(_element(*each) for each in elements)


def _element(tag: int, vr: str, value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        raw = struct.pack("<H", value)
    elif isinstance(value, str):
        raw = value.encode("latin-1")
        raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    else:
        raw = value
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, len(raw)) if vr in _LONG else struct.pack("<H", len(raw))) + raw
