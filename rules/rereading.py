"""Headers the fast scan does not understand, read by pydicom and written anew: for reading, never for sending."""

import io
import warnings

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag

from rules.attribute import PIXEL_TAGS
from rules.errors import HeaderError
from rules.layout import UNDEFINED, Layout


def reread(data: bytes, layout: Layout) -> bytes:
    """The data set up to its pixel data, encoded anew in the same layout. HeaderError if pydicom cannot read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = read_dataset(
                io.BytesIO(data),
                layout.implicit,
                layout.little,
                stop_when=_is_pixel_data,
            )
            _refuse_cut_short(dataset)
            target = DicomBytesIO()
            target.is_implicit_VR = layout.implicit
            target.is_little_endian = layout.little
            write_dataset(target, dataset)
            return target.getvalue()
    except HeaderError:
        raise
    except Exception as problem:  # pydicom raises whatever the bytes make it raise
        raise HeaderError("The header cannot be read.") from problem


def _refuse_cut_short(dataset: Dataset) -> None:
    """Refuse what pydicom reads anyway: it takes what is left of a value that runs over the end."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating a data set would decode its values
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and element.length not in (len(element.value or b""), UNDEFINED):
            raise HeaderError("The data set is cut short.")


def _is_pixel_data(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    """Whether reading must end here."""
    return int(tag) in PIXEL_TAGS
