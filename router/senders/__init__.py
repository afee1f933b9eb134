"""From a kind of destination in the configuration to the door that delivers to it."""

from router.senders.choosing import peer_of, sender_for
from router.senders.dicom import DicomSender

__all__ = ["DicomSender", "peer_of", "sender_for"]
