"""The most memory a role takes while a 2 GB multi-frame instance is received and then forwarded, over its idle."""

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from benchmarks import peers
from benchmarks.figure import Figure, at_most
from benchmarks.forward import pair
from benchmarks.processes import peak_mb, reset_peak, resident_mb
from benchmarks.settings import Settings
from benchmarks.site import operator
from benchmarks.study import new_uid

FRAME_BYTES = 512 * 512 * 2
FRAMES = 3815  # 2,000 MB


def measure(settings: Settings) -> list[Figure]:
    """One instance, sent by our own sender, then forwarded to `storescp +B`."""
    settings.say("memory: receiving 2 GB")
    frames = settings.scaled(FRAMES)
    with pair(settings.folder / "pair", peers.NO_NAGLE) as way:
        outgoing = settings.folder / "outgoing"
        write_multi_frame(outgoing / "2gb.dcm", frames)
        roles = way.ours.running.roles()
        before = way.ours.marks()

        def receive() -> None:
            peers.own_sender(way.ours.port, outgoing)
            way.ours.wait_filed(before, 1)

        def send() -> None:
            with operator(way.ours) as appliance:
                appliance.queue.resume("pacs")
                way.ours.wait_delivered()

        received = _peaks_over_idle(roles, receive)
        shutil.rmtree(outgoing)
        settings.say("memory: forwarding 2 GB")
        forwarded = _peaks_over_idle(roles, send)
        if way.receiver.received() != 1:
            raise ValueError(f"the instance did not arrive: {way.ours.states()}")
    return [_figure("receiving", received, frames), _figure("forwarding", forwarded, frames)]


def write_multi_frame(path: Path, frames: int) -> None:
    """A secondary capture of so many 512 x 512 frames of 16 bits, all zero, as a sparse file."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    image.SOPInstanceUID, image.StudyInstanceUID, image.SeriesInstanceUID = new_uid(), new_uid(), new_uid()
    image.Modality, image.PatientID, image.PatientName = "OT", "999999", "BENCHMARK"
    image.Rows = image.Columns = 512
    image.NumberOfFrames, image.SamplesPerPixel, image.PhotometricInterpretation = frames, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelData = b""
    image["PixelData"].VR = "OW"
    encoded = BytesIO()
    dcmwrite(encoded, image, implicit_vr=False, little_endian=True, enforce_file_format=True)
    length = frames * FRAME_BYTES
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        head = encoded.getvalue()[:-4] + length.to_bytes(4, "little")
        file.write(head)
        file.truncate(len(head) + length)


def _peaks_over_idle(roles: dict[str, int], do: Callable[[], None]) -> dict[str, float]:
    """How much more memory each role took at most while something was done than before it, MB."""
    idle = {role: resident_mb(pid) for role, pid in roles.items()}
    for pid in roles.values():
        reset_peak(pid)
    do()
    return {role: peak_mb(pid) - idle[role] for role, pid in roles.items()}


def _figure(doing: str, peaks: dict[str, float], frames: int) -> Figure:
    note = ", ".join(f"{role} {megabytes:.1f} MB" for role, megabytes in peaks.items())
    what = f"peak memory {doing} {frames * FRAME_BYTES / 1e9:.1f} GB, over idle"
    return Figure(
        what, "MB", max(peaks.values()), reach=at_most(64), note=note, samples={r: [p] for r, p in peaks.items()}
    )
