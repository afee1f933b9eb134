"""The header of an instance, read lazily from encoded bytes up to the pixel data. It changes nothing (see draft)."""

import zlib

from rules.attribute import TRANSFER_SYNTAX_UID, Attribute
from rules.errors import HeaderError, HeaderIncompleteError
from rules.layout import DEFLATED, UNDEFINED, element_header, end_of_undefined, layout_of
from rules.level import Level
from rules.path import read
from rules.recognition import RECOGNITION
from rules.rereading import reread
from rules.scanning import Scan

INFLATED_LIMIT = 512 * 1024 * 1024  # bytes
_IDENTITY_BYTES = 2048  # where the SOP UIDs are in all but very odd data sets
_ELEMENT_HEADER_BYTES = 12  # at the most (PS3.5 7.1)
_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018


class Header:
    """A scanned data set: which attributes are there and where; values are decoded when asked.

    `end` is the offset in the bytes as stored where the bytes begin that no edit touches (deflated: their number).
    Of a deflated data set `deflated` has the bytes as they came, and `top` the inflated ones. A header that is not
    `editable` was read by other means.
    """

    __slots__ = ("deflated", "editable", "end", "pixel_tag", "top", "transfer_syntax_uid")

    def __init__(self, top: Level, transfer_syntax_uid: str, pixel_tag: int | None) -> None:
        self.top = top
        self.transfer_syntax_uid = transfer_syntax_uid
        self.pixel_tag = pixel_tag
        self.end = top.end
        self.editable = True
        self.deflated: bytes | None = None

    @staticmethod
    def scan(data: bytes, transfer_syntax_uid: str, *, complete: bool = True) -> "Header":
        """Read the top level of a data set (no preamble, no file meta), which `data` is or, not `complete`, begins.

        HeaderIncompleteError if the header goes on after `data`, HeaderError if it cannot be read.
        """
        if transfer_syntax_uid == DEFLATED:
            return _scan_deflated(data, transfer_syntax_uid, complete)
        header, problem = _scan_plain(data, transfer_syntax_uid)
        if header is not None:
            if not complete and header.pixel_tag is None:
                raise HeaderIncompleteError(len(data) + 1)
            if not complete and header.end + _ELEMENT_HEADER_BYTES > len(data):
                raise HeaderIncompleteError(header.end + _ELEMENT_HEADER_BYTES)
            return header
        if not complete and isinstance(problem, HeaderIncompleteError):
            raise problem
        return _scan_reread(data, transfer_syntax_uid, problem)

    def pixel_data(self) -> tuple[int, int | None] | None:
        """Offset and length in bytes (None: undefined) of the pixel data's value in the data set, inflated if deflated.

        None if there is none, or if the header was read by other means. HeaderIncompleteError if it is cut short here.
        """
        if self.pixel_tag is None or not self.editable:
            return None
        top = self.top
        _, _, value, length = element_header(top.data, top.end, len(top.data), top.layout)
        return value, None if length == UNDEFINED else length

    @property
    def has_tail(self) -> bool:
        """Whether something follows the pixel data, where all of it lies in the bytes scanned."""
        end = self.pixel_end()
        return end is not None and end < len(self.top.data)

    def pixel_end(self) -> int | None:
        """The offset after the pixel data, where all of it lies in the bytes scanned; None as `pixel_data`."""
        found = self.pixel_data()
        if found is None:
            return None
        value, length = found
        data, layout = self.top.data, self.top.layout
        return end_of_undefined(data, value, len(data), layout, "OB") if length is None else value + length

    def values(self, attribute: Attribute) -> tuple[str, ...] | None:
        """The attribute's values as text, without padding; `()` if it is there but empty, None if it is absent."""
        tag = attribute.tag
        values = read(self.top, attribute) if tag is None else self.top.text(tag)
        return self._no_element(attribute) if values is None else values

    def _no_element(self, attribute: Attribute) -> tuple[str, ...] | None:
        """The values of what is no element of the header: the transfer syntax, and the pixel data."""
        tag = attribute.steps[0].tag
        if tag is None or len(attribute.steps) > 1 or tag in self.top.offsets:
            return None
        if tag == TRANSFER_SYNTAX_UID:
            return (self.transfer_syntax_uid,)
        return ("",) if tag == self.pixel_tag else None


def _scan_plain(data: bytes, transfer_syntax_uid: str) -> tuple[Header | None, HeaderError | None]:
    """The header as its bytes are, or why there is none."""
    layout = layout_of(data, transfer_syntax_uid)
    try:
        scan = RECOGNITION.scan(data, layout)
    except HeaderError as problem:
        return None, problem
    return Header(Level(data, 0, scan, layout), transfer_syntax_uid, scan.stopped), None


def _scan_reread(data: bytes, transfer_syntax_uid: str, problem: HeaderError | None) -> Header:
    """The header as pydicom understands it: good for reading, but its bytes are not the ones stored."""
    if isinstance(problem, HeaderIncompleteError):
        raise HeaderError("The data set is cut short.") from None  # pydicom would make do with what is there
    encoded = reread(data, layout_of(data, transfer_syntax_uid))
    header, problem = _scan_plain(encoded, transfer_syntax_uid)
    if header is None:
        raise problem or HeaderError
    header.editable = False
    header.end = len(data)
    return header


def _scan_deflated(data: bytes, transfer_syntax_uid: str, complete: bool) -> Header:
    """The header of a deflated data set, which must be whole and not inflate beyond the limit."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, INFLATED_LIMIT)
    except zlib.error:
        raise HeaderError("The data set is not deflated as it says.") from None
    if not inflater.eof:
        if len(inflated) >= INFLATED_LIMIT:
            raise HeaderError("The data set inflates to more than 512 MB.")
        if not complete:
            raise HeaderIncompleteError(len(data) + 1)
        raise HeaderError("The deflated data set is cut short.")
    header, problem = _scan_plain(inflated, transfer_syntax_uid)
    if header is None:
        header = _scan_reread(inflated, transfer_syntax_uid, problem)
    header.deflated = data
    header.end = len(data)
    return header


def identify(data: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    """SOP Class UID and SOP Instance UID from the first 2 kB or more of a data set, or from all of it.

    "" for the one that is absent. HeaderIncompleteError if they may come later, HeaderError if it is unreadable.
    """
    if transfer_syntax_uid == DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, 32 * _IDENTITY_BYTES)
        except zlib.error:
            raise HeaderError("The data set is not deflated as it says.") from None
    layout = layout_of(data, transfer_syntax_uid)
    for prefix in (data[:_IDENTITY_BYTES], data):
        scan = Scan()
        cut: HeaderIncompleteError | None = None
        try:
            scan.run(prefix, 0, len(prefix), layout, to_pixels=True)
        except HeaderIncompleteError as problem:
            cut = problem
        level = Level(prefix, 0, scan, layout)
        uids = _first(level, _SOP_CLASS_UID), _first(level, _SOP_INSTANCE_UID)
        if all(uids):
            return uids
    if cut is not None and not any(tag > _SOP_INSTANCE_UID for tag in scan.offsets):
        raise cut
    return uids


def _first(level: Level, tag: int) -> str:
    """The first value of an element that lies whole in the level, "" if there is none."""
    if tag not in level.offsets:
        return ""
    level.end = len(level.data)
    try:
        values = level.text(tag)
    except HeaderIncompleteError:
        return ""
    return values[0] if values else ""
