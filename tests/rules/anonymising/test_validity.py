"""An anonymised object is as valid as it was: dciodvfy finds no error in it that was not there before.

`MICROPACS_EVERY_POINT=1` asks of every file, otherwise it is every third one, others each day.
"""

import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from archive import Identity
from router.folder.writer import file_head
from rules import Attribute, Header, RulesError
from tests.support.data import data_set, name_of, needs_data, sample
from tests.support.extent import extent
from tests.support.rules import arrival, ruleset

FOLDERS = ("modalities", "pet-ct-templates", "series")
SHARE = extent(3, 1)  # one file of so many
STRICTEST = "burned_in: trust"
FOR_PET = "burned_in: trust, keep: [patient-characteristics, safe-private], dates: shift"
_UID = re.compile(r"\b\d+(\.\d+){2,}")
_NO_OBJECT = re.compile(r"MediaStorage.*not a directory")  # of a DICOMDIR, which is no instance
_needs_dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (dicom3tools)")

pytestmark = [needs_data, _needs_dciodvfy, pytest.mark.peer]


def _errors(path: Path) -> Counter[str]:
    """What dciodvfy calls errors, without the UIDs it quotes."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace", check=False)
    lines = (line.strip() for line in (done.stdout + done.stderr).splitlines())
    return Counter(_UID.sub("UID", line) for line in lines if line.startswith("Error") and not _NO_OBJECT.search(line))


def _first(header: Header, keyword: str) -> str:
    return (header.values(Attribute.parse(keyword)) or ("",))[0]


@pytest.mark.parametrize("options", [STRICTEST, FOR_PET], ids=["strictest", "for PET"])
def test_no_error_is_new(options: str, tmp_path: Path) -> None:
    """Of every kind of object in the test data."""
    rules = ruleset(f"routes: [{{name: out, edit: [{{anonymise: {{{options}}}}}], to: [research]}}]")
    compared = 0
    new: dict[str, Counter[str]] = {}
    for path in sample(*FOLDERS, series=1)[time.gmtime().tm_yday % SHARE :: SHARE]:
        try:
            data, syntax = data_set(path)
            header = Header.scan(data, syntax)
            prepared = rules.prepare("out", header, arrival())
        except (RulesError, OSError, ValueError, NotImplementedError):
            continue  # no DICOM, or held
        assert prepared.splice is not None
        before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
        sop_class = _first(header, "SOPClassUID")
        before.write_bytes(file_head(Identity(sop_class, _first(header, "SOPInstanceUID"), syntax)) + data)
        made = prepared.splice.prefix + data[prepared.splice.resume :]
        after.write_bytes(file_head(Identity(sop_class, prepared.sop_instance_uid or "", syntax)) + made)
        compared += 1
        if found := _errors(after) - _errors(before):
            new[name_of(path)] = found
    assert compared > 40 // SHARE
    assert not new, new
