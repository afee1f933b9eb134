"""What a route asks to be done with the pixels of a copy, done in a process of its own. It decides nothing."""

from router.pixels.installed import INSTALL, can_write
from router.pixels.order import Order
from router.pixels.workshop import Workshop

__all__ = ["INSTALL", "Order", "Workshop", "can_write"]
