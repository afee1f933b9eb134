"""The demo's scanner and peer as processes of their own, talking DICOM over TCP."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from router.demo.peer import Refusal
from router.demo.phantom import write_phantom

REPOSITORY = Path(__file__).resolve().parents[3]


@contextmanager
def running_peer(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A peer process and its port; ended by its own id."""
    command = [sys.executable, "-m", "router.demo.peer", "--ae", "PACS", "--folder", str(folder), *options]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as peer:
        try:
            assert peer.stdout is not None
            yield peer, json.loads(peer.stdout.readline())["listening"]
        finally:
            peer.terminate()


def scan(port: int, folder: Path) -> tuple[int, list[dict[str, object]]]:
    """Run the scanner to the end: its exit code and what it printed."""
    command = [sys.executable, "-m", "router.demo.scanner", "--to", f"127.0.0.1:{port}"]
    command += ["--called", "PACS", "--calling", "SCANNER", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def data_set(path: Path) -> bytes:
    """The bytes after preamble and group 2 (PS3.10 7.1)."""
    content = path.read_bytes()
    return content[144 + int.from_bytes(content[140:144], "little") :]


def test_a_study_arrives_to_the_byte_after_a_first_refusal(tmp_path: Path) -> None:
    """The peer refuses the first association and takes the second; every data set it keeps is the one that was sent."""
    study = write_phantom(tmp_path / "sent", slices=3, seed="exchange")
    with running_peer(tmp_path / "kept", "--refuse-first", "1") as (peer, port):
        code, lines = scan(port, tmp_path / "sent")
        assert code == 1
        assert lines == [{"error": "association rejected", "sent": 0, "failed": 9}]
        code, lines = scan(port, tmp_path / "sent")
        assert code == 0
        peer.terminate()
        assert peer.stdout is not None
        told = [json.loads(line) for line in peer.stdout]
    assert [line["status"] for line in lines[:-1]] == [0] * 9
    assert (lines[-1]["sent"], lines[-1]["failed"]) == (9, 0)
    assert told[0] == {"refused": 1}
    received = {line["received"]: line for line in told[1:]}
    assert len(received) == 9
    for path in study.files:
        sent = data_set(path)
        line = received[dcmread(path, stop_before_pixels=True).SOPInstanceUID]
        assert line["sha256"] == hashlib.sha256(sent).hexdigest()
        assert line["bytes"] == len(sent)
        kept = tmp_path / "kept" / line["file"]
        assert data_set(kept) == sent
        assert dcmread(kept, stop_before_pixels=True).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_private_classes_and_unusual_syntaxes_arrive_too(tmp_path: Path) -> None:
    """A private SOP class in a compressed transfer syntax is offered as it is and kept as it came."""
    source = dcmread(write_phantom(tmp_path / "phantom", slices=1, seed="odd").files[0])
    source.file_meta.MediaStorageSOPClassUID = source.SOPClassUID = "1.2.840.113619.4.30"
    source.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.5"
    source["PixelData"].VR = "OB"
    source.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x02\x00\x00\x00\x01\x02"
    source["PixelData"].is_undefined_length = True
    (tmp_path / "sent").mkdir()
    source.save_as(tmp_path / "sent" / "odd.dcm")
    (tmp_path / "sent" / "notes.txt").write_text("no DICOM")
    with running_peer(tmp_path / "kept") as (_, port):
        code, lines = scan(port, tmp_path / "sent")
    assert code == 0
    assert lines[0] == {"skipped": "notes.txt", "error": "no DICOM file"}
    (kept,) = (tmp_path / "kept").iterdir()
    assert data_set(kept) == data_set(tmp_path / "sent" / "odd.dcm")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """The scanner sends nothing, says so and exits with 2."""
    assert scan(1, tmp_path) == (2, [{"error": "no DICOM file in the folder", "sent": 0, "failed": 0}])


def test_nobody_listening_is_told(tmp_path: Path) -> None:
    """The scanner says that there was no association and exits with 1."""
    write_phantom(tmp_path, slices=1, seed="nobody")
    assert scan(1, tmp_path) == (1, [{"error": "no association", "sent": 0, "failed": 3}])


def test_refusal_is_a_number_of_associations_or_a_time() -> None:
    """`2` refuses two and then none, `60s` refuses now, anything else is an error."""
    two = Refusal.parse("2")
    assert [two.is_due() for _ in range(4)] == [True, True, False, False]
    assert two.refused == 2
    assert Refusal.parse("60s").is_due()
    assert not Refusal.parse("0s").is_due()
    with pytest.raises(ValueError, match="such as"):
        Refusal.parse("soon")
