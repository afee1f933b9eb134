"""The process that works on pixels: what it is asked and answers, and that nothing it meets ends with it."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from router.errors import PixelsError
from router.pixels import Order, Workshop
from router.pixels.image import MOST_BYTES
from router.pixels.rework import rework
from rules import PixelWork, Region
from tests.support.pictures import EXPLICIT, Kind, picture, written

WORK = PixelWork((Region(0, 0, 3, 2),), EXPLICIT)
DATA = written(picture(Kind()))


@pytest.fixture
def kept(tmp_path: Path) -> Order:
    """A file whose data set begins at byte 10, of which the first 40 bytes were edited into others of the same."""
    path = tmp_path / "kept.dcm"
    path.write_bytes(bytes(10) + DATA + b"of others")
    return Order(DATA[:40], path, 50, 10 + len(DATA), EXPLICIT, WORK)


def test_an_order_is_done_in_another_process(kept: Order) -> None:
    """The prefix and the file's bytes are one data set, and what comes back is what is made of it here."""
    workshop = Workshop()
    try:
        assert workshop.work(kept) == rework(DATA, EXPLICIT, WORK)
        process = workshop._process
        assert process is not None
        assert process.pid != os.getpid()
        assert workshop.work(kept) == rework(DATA, EXPLICIT, WORK)
        assert workshop._process is process
    finally:
        workshop.close()
    assert process.poll() is not None


def test_what_cannot_be_done_is_told_and_the_next_order_is_done(kept: Order, tmp_path: Path) -> None:
    """A reason of the pixels', of the header's, of the disk's and of the memory's."""
    workshop = Workshop()
    outside = PixelWork((Region(100, 0, 1, 1),), EXPLICIT)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    try:
        for order, reason in (
            (Order(DATA, kept.path, 0, 0, EXPLICIT, outside), "outside the picture"),
            (Order(DATA[:-3], kept.path, 0, 0, EXPLICIT, WORK), "cut short"),
            (Order(b"no data set", kept.path, 0, 0, EXPLICIT, WORK), "."),
            (Order(b"", tmp_path / "none", 0, 5, EXPLICIT, WORK), "cannot be read"),
            (Order(b"", large, 0, MOST_BYTES + 1, EXPLICIT, WORK), "512 MB"),
        ):
            with pytest.raises(PixelsError, match=reason):
                workshop.work(order)
        assert workshop.work(kept) == rework(DATA, EXPLICIT, WORK)
    finally:
        workshop.close()


@pytest.mark.skipif(os.name == "nt", reason="a process is stopped by a signal")
def test_a_process_that_does_not_answer_is_ended_and_another_one_started(kept: Order) -> None:
    """One picture that a codec never gets done with holds itself up, and none after it."""
    workshop = Workshop(longest_seconds=0.5)
    process = workshop._running()
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(PixelsError, match="did not end"):
            workshop.work(kept)
        assert process.poll() is not None
        workshop._longest_seconds = 60
        assert workshop.work(kept) == rework(DATA, EXPLICIT, WORK)
    finally:
        workshop.close()


def test_a_process_that_breaks_down_says_nothing_of_the_next(kept: Order) -> None:
    """It is as if it had said that the picture cannot be worked on."""
    workshop = Workshop()
    try:
        workshop.work(kept)
        process = workshop._process
        assert process is not None
        many = Kind(512, 512, 8, bits=32, stored=32)
        order = Order(_large(many), kept.path, 0, 0, EXPLICIT, PixelWork((Region(0, 0, 1, 1),), EXPLICIT))
        threading.Timer(0.0, process.kill).start()
        while process.poll() is None:
            time.sleep(0.01)
        assert workshop.work(order)[:40] == order.prefix[:40]
    finally:
        workshop.close()


def test_it_ends_with_who_started_it() -> None:
    """When its standard input ends, so does the process, without a word."""
    workshop = Workshop()
    process = workshop._running()
    assert process.stdin is not None
    process.stdin.close()
    try:
        assert process.wait(30) == 0
    except subprocess.TimeoutExpired:  # pragma: no cover
        pytest.fail("it went on")
    finally:
        workshop.close()


def _large(kind: Kind) -> bytes:
    made = picture(Kind())
    made.Rows, made.Columns, made.NumberOfFrames = kind.rows, kind.columns, kind.frames
    made.BitsAllocated, made.BitsStored, made.HighBit = kind.bits, kind.stored, kind.stored - 1
    made.PixelData = bytes(kind.rows * kind.columns * kind.frames * kind.bits // 8)
    return written(made)
