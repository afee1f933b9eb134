"""Instances of the demo's phantom with UIDs that no other test has, also compressed by DCMTK's programs."""

import subprocess
from pathlib import Path
from uuid import uuid4

import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from router.demo.phantom import write_phantom


def phantom(folder: Path, series: str = "pet-ac", *, instances: int = 1) -> list[Path]:
    """New instances of one series (pet-ac, pet-nac: 35 kB; ct: 526 kB), in explicit VR little endian."""
    folder.mkdir(parents=True, exist_ok=True)
    study = write_phantom(folder / uuid4().hex, slices=instances, seed=uuid4().hex)
    return [path for path in study.files if path.parent.name == series]


def compressed(path: Path, *command: str) -> Path:
    """A copy of an instance that one of DCMTK's programs made, with the same UIDs."""
    copy = path.with_suffix(f".{'-'.join(command).replace('+', '')}.dcm")
    subprocess.run([*command, str(path), str(copy)], check=True, capture_output=True)
    return copy


def encapsulated(path: Path, transfer_syntax_uid: str) -> Path:
    """A copy in a syntax that nothing at hand encodes: its fragments are no picture, which no peer looks at."""
    instance = pydicom.dcmread(path)
    instance.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    instance.PixelData = encapsulate([bytes(range(256)) * 40])
    instance["PixelData"].VR = "OB"
    instance["PixelData"].is_undefined_length = True
    copy = path.with_suffix(f".{transfer_syntax_uid}.dcm")
    instance.save_as(copy)
    return copy
