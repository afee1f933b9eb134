"""A data set on its way out: bytes of a file, perhaps after a prefix, cut into P-DATA-TF PDUs. Sends nothing itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, FileIO
from pathlib import Path

from router.dimse.pdu import DATA_HEADER, PduType
from router.errors import DataSetUnreadable

_WINDOW_BYTES = 2**20  # handed to the kernel in one call: a CT slice in one, so that its digest waits for no window
_LONGEST_PDU_BYTES = 2**18  # for a peer that takes any length
_LAST = 2


@dataclass(frozen=True, slots=True)
class DataSet:
    """`prefix`, then `length` bytes of the file at `path` from byte `offset` on: one encoded data set.

    Where that is none the file is not opened.
    """

    prefix: bytes
    path: Path
    offset: int
    length: int


class Packer:
    """Cuts data sets into PDUs through two buffers that are used in turn; for one association."""

    def __init__(self, peer_pdu_bytes: int) -> None:
        """`peer_pdu_bytes` is the longest PDU the peer takes, 0 for any."""
        longest = min(peer_pdu_bytes or _LONGEST_PDU_BYTES, _LONGEST_PDU_BYTES)
        self._chunk = (longest - 6) // 2 * 2  # a fragment has even length (PS3.8 annex E.1)
        size = max(1, _WINDOW_BYTES // self._chunk) * self._chunk
        self._view, self._other = memoryview(bytearray(size)), memoryview(bytearray(size))

    def windows(
        self, data_set: DataSet, context_id: int, sent: Callable[[memoryview], object] | None = None
    ) -> Iterator[list[bytes | memoryview]]:
        """The PDUs of a data set in groups of buffers; the buffers of one group are good until the next is asked for.

        A data set of odd length gets one zero byte more. When the next group is asked for, `sent` is called with the
        bytes of the last one, which stay as they are until two groups later. Raises DataSetUnreadable, before the first
        group when the file cannot be opened or is too short.
        """
        prefix = memoryview(data_set.prefix)
        remaining = len(prefix) + data_set.length
        count = min(remaining, len(self._view))
        try:
            with FileIO(data_set.path) if data_set.length else BytesIO() as file:
                if data_set.length and count < remaining and file.seek(0, 2) < data_set.offset + data_set.length:
                    raise DataSetUnreadable
                file.seek(data_set.offset)
                while count < remaining:
                    prefix = self._fill(count, prefix, file)
                    remaining -= count
                    yield self._pdus(count, context_id, is_end=False)
                    if sent is not None:
                        sent(self._view[:count])
                    count = min(remaining, len(self._view))
                self._fill(count, prefix, file)
        except OSError as error:
            raise DataSetUnreadable from error
        if count:
            yield self._pdus(count, context_id, is_end=True)
            if sent is not None:
                sent(self._view[:count])

    def _fill(self, count: int, prefix: memoryview, file: FileIO | BytesIO) -> memoryview:
        """Put the next `count` bytes into the buffer whose turn it is; what is left of the prefix then."""
        self._view, self._other = self._other, self._view
        taken = min(count, len(prefix))
        if taken:
            self._view[:taken] = prefix[:taken]
        _read_exactly(file, self._view[taken:count])
        return prefix[taken:]

    def _pdus(self, count: int, context_id: int, *, is_end: bool) -> list[bytes | memoryview]:
        """The first `count` bytes of the buffer as PDUs: header, fragment, and so on."""
        if count % 2:  # only at the end, and then there is room: the buffer is even
            self._view[count] = 0
            count += 1
        buffers: list[bytes | memoryview] = []
        for start in range(0, count, self._chunk):
            stop = min(start + self._chunk, count)
            length = stop - start
            control = _LAST if is_end and stop == count else 0
            buffers.append(DATA_HEADER.pack(PduType.DATA, length + 6, length + 2, context_id, control))
            buffers.append(self._view[start:stop])
        return buffers


def _read_exactly(file: FileIO | BytesIO, view: memoryview) -> None:
    filled = 0
    while filled < len(view):
        count = file.readinto(view[filled:])
        if not count:
            raise DataSetUnreadable
        filled += count
