"""Headers the fast scan does not understand, read by pydicom and written anew: for reading, never for sending."""

import io
import warnings

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from rules.attribute import PIXEL_TAGS
from rules.encoding import encode_element, encode_item
from rules.errors import HeaderError
from rules.layout import IMPLICIT_LITTLE, Layout


def reread(data: bytes, layout: Layout) -> bytes:
    """The elements up to the pixel data as pydicom understands them, in implicit VR little endian.

    HeaderError if pydicom cannot read them, or only in part.
    """
    if not layout.little:
        raise HeaderError  # implicit VR has no big endian form, and the values are not turned round
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = read_dataset(io.BytesIO(data), layout.implicit, layout.little, stop_when=_is_pixel_data)
            return _encoded(dataset)
    except HeaderError:
        raise
    except Exception as problem:  # pydicom raises whatever the bytes make it raise
        raise HeaderError from problem


def _encoded(dataset: Dataset) -> bytes:
    """All elements of one level."""
    pieces: list[bytes] = []
    for tag in sorted(dataset.keys()):
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement):
            value = element.value or b""
            if element.length not in (len(value), 0xFFFFFFFF):
                raise HeaderError("The data set is cut short.")  # pydicom makes do with what is left
        else:
            value = b"".join(encode_item(_encoded(item), IMPLICIT_LITTLE) for item in element.value)
        pieces.append(encode_element(int(tag), "", value, IMPLICIT_LITTLE))
    return b"".join(pieces)


def _is_pixel_data(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    """Whether reading must end here."""
    return int(tag) in PIXEL_TAGS
