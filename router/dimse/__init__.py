"""The door for DICOM on the wire: associations, C-STORE and C-ECHO, both sides. Decides on no route, keeps nothing."""

from router.dimse.breach import Alarm
from router.dimse.echo_scp import EchoScp
from router.dimse.echo_scu import echo
from router.dimse.limits import Limits
from router.dimse.listener import Listener
from router.dimse.outgoing import DataSet
from router.dimse.reception import Reception
from router.dimse.requestor import MOST_CONTEXTS, Peer, Request, Requestor
from router.dimse.sources import Source, Sources
from router.dimse.store_scp import StoreScp
from router.dimse.store_scu import StoreScu, Windows
from router.dimse.tls import ClientTls, ServerTls

__all__ = [
    "MOST_CONTEXTS",
    "Alarm",
    "ClientTls",
    "DataSet",
    "EchoScp",
    "Limits",
    "Listener",
    "Peer",
    "Reception",
    "Request",
    "Requestor",
    "ServerTls",
    "Source",
    "Sources",
    "StoreScp",
    "StoreScu",
    "Windows",
    "echo",
]
