"""From a destination in the configuration to the sender that delivers to it. Opens no connection itself."""

from collections.abc import Callable

from router.config import Configuration, Destination, DicomDestination, FolderDestination
from router.delivery import Sender
from router.dimse import Peer
from router.folder import FolderSender
from router.senders.dicom import DicomSender


def sender_for(destination: Destination, configuration: Configuration) -> Callable[[], Sender]:
    """What opens a sender to this destination."""
    match destination:
        case DicomDestination():
            peer = Peer(destination.ae_title, destination.host, destination.port)
            return lambda: DicomSender(peer, configuration.settings.appliance.ae_title)
        case FolderDestination():
            return lambda: FolderSender(configuration.folder / destination.path)
        case _:  # a configuration with any other kind is refused when it is loaded
            raise NotImplementedError(f"there is no sender for destinations of type {destination.type}")
