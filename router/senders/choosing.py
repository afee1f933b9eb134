"""From a destination in the configuration to the sender that delivers to it. Opens no connection itself."""

from collections.abc import Callable

from router.config import Configuration, Destination, DicomDestination, FolderDestination
from router.delivery import Sender
from router.dimse import ClientTls, Limits, Peer
from router.folder import FolderSender
from router.senders.dicom import DicomSender


def sender_for(destination: Destination, configuration: Configuration) -> Callable[[], Sender]:
    """What opens a sender to this destination."""
    match destination:
        case DicomDestination():
            peer, timeouts = peer_of(destination, configuration), destination.timeouts
            limits = Limits(
                connect_seconds=timeouts.connect, pdu_seconds=timeouts.pdu, response_seconds=timeouts.response
            )
            return lambda: DicomSender(peer, configuration.settings.appliance.ae_title, limits)
        case FolderDestination():
            return lambda: FolderSender(configuration.folder / destination.path)
        case _:  # a configuration with any other kind is refused when it is loaded
            raise NotImplementedError(f"there is no sender for destinations of type {destination.type}")


def peer_of(destination: DicomDestination, configuration: Configuration) -> Peer:
    """Whom to call for this destination, and whether over TLS only."""
    tls = None
    if destination.tls:
        files = configuration.tls_files
        assert files is not None  # a configuration without them is refused when it is loaded
        tls = ClientTls(files)
    return Peer(destination.ae_title, destination.host, destination.port, tls)
