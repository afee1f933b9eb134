"""Where a destination's name leads to, in words that can be compared. It calls nobody."""

from pathlib import Path

from router.config.files import absolute
from router.config.nodes import Destination, DicomDestination, FolderDestination


def place_of(destination: Destination, folder: Path) -> str:
    """The address of a destination in a configuration in `folder`; two with the same text are the same place."""
    match destination:
        case DicomDestination():
            return f"DICOM {destination.ae_title}@{destination.host.lower()}:{destination.port}"
        case FolderDestination():
            return f"the folder {absolute(folder, destination.path)}"
        case _:
            return destination.url
