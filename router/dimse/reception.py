"""All that holds for an association that begins now, as one value that is replaced whole; starts nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from router.dimse.breach import Alarm, unheard
from router.dimse.command import Command
from router.dimse.limits import Limits
from router.dimse.sources import Sources
from router.dimse.tls import ServerTls

if TYPE_CHECKING:
    from router.dimse.acceptor import Acceptor
    from router.dimse.association import AcceptedContext


class Service(Protocol):
    """An SCP: serves one kind of request."""

    @property
    def command_field(self) -> int:
        """The command field (0000,0100) of the requests it serves."""
        ...

    def serve(self, acceptor: "Acceptor", context: "AcceptedContext", request: Command) -> None:
        """Take the request's data set if it has one, and respond."""
        ...


@dataclass(frozen=True, slots=True)
class Reception:
    """Our AE title, who may call, how much they may ask for, and what we do for them."""

    ae_title: str
    services: Sequence[Service]
    sources: Sources = field(default_factory=Sources)
    limits: Limits = field(default_factory=Limits)
    tls: ServerTls | None = None
    alarm: Alarm = unheard  # told of every breach; must neither block nor raise
