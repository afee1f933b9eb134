"""From a destination in the configuration to the sender that delivers to it. Opens no connection itself."""

from collections.abc import Callable

from router.config import Configuration, Destination, DicomDestination, FolderDestination
from router.delivery.packing import Packer
from router.delivery.sender import Sender
from router.delivery.worker import LineSettings


def line_settings(configuration: Configuration, packer: Packer) -> dict[str, LineSettings]:
    """The settings of every destination's line, by its name."""
    settings = configuration.settings
    return {
        name: LineSettings(
            name=name,
            connections=destination.connections,
            retry=destination.retry,
            window=destination.window,
            zone=configuration.zone,
            packer=packer,
            open_sender=sender_for(destination, configuration),
        )
        for name, destination in settings.destinations.items()
    }


def sender_for(destination: Destination, configuration: Configuration) -> Callable[[], Sender]:
    """What opens a sender to this destination."""
    # Imported here: each door imports what this package says a sender is.
    from router.delivery.dicom_sender import DicomSender
    from router.dimse import Peer
    from router.folder import FolderSender

    match destination:
        case DicomDestination():
            peer = Peer(destination.ae_title, destination.host, destination.port)
            return lambda: DicomSender(peer, configuration.settings.appliance.ae_title)
        case FolderDestination():
            return lambda: FolderSender(configuration.folder / destination.path)
        case _:
            raise NotImplementedError(f"there is no sender for destinations of type {destination.type}")
