"""Leaving: the queue of deliveries, and the lines that send them."""

from router.delivery.bell import Bell
from router.delivery.delivery import Leased, LineState, Listed, NewDelivery, Settlement
from router.delivery.digests import Digests
from router.delivery.following import Holder
from router.delivery.lines import Lines
from router.delivery.listing import pending_by_revision
from router.delivery.outcomes import Kind, Outcome
from router.delivery.queue import Queue
from router.delivery.redeciding import InForce
from router.delivery.sender import DestinationError, Sender, Shipment
from router.delivery.states import State
from router.delivery.stepping import machine_clock
from router.delivery.tables import metadata

__all__ = [
    "Bell",
    "DestinationError",
    "Digests",
    "Holder",
    "InForce",
    "Kind",
    "Leased",
    "LineState",
    "Lines",
    "Listed",
    "NewDelivery",
    "Outcome",
    "Queue",
    "Sender",
    "Settlement",
    "Shipment",
    "State",
    "machine_clock",
    "metadata",
    "pending_by_revision",
]
