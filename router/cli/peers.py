"""Who `--to NAME` and `AET@HOST:PORT` mean. Calls nobody."""

import re
from pathlib import Path

from router.cli.options import configuration, configuration_path
from router.cli.output import Exit, fail
from router.config import DicomDestination
from router.dimse import Peer
from router.senders import peer_of

ADDRESS = re.compile(r"(?P<title>[^@]{1,16})@(?P<host>[^@]+):(?P<port>\d{1,5})")
DEFAULT_TITLE = "MICROPACS"
LAST_PORT = 65535


def named_peer(config: Path | None, name: str) -> tuple[Peer, str]:
    """The peer called `name` (a destination of the configuration, or AET@HOST:PORT) and our own AE title."""
    match = ADDRESS.fullmatch(name)
    if match:
        title = DEFAULT_TITLE
        if config or configuration_path(config).exists():
            title = configuration(config).settings.appliance.ae_title
        port = int(match["port"])
        if not 1 <= port <= LAST_PORT:
            fail(f"{port} is not a port, 1 to {LAST_PORT}", Exit.WRONG)
        return Peer(match["title"], match["host"].strip("[]"), port), title
    loaded = configuration(config)
    destination = loaded.settings.destinations.get(name)
    if destination is None:
        known = ", ".join(loaded.settings.destinations) or "none"
        fail(f"there is no destination {name!r}", Exit.WRONG, hint=f"destinations: {known}; or write AET@HOST:PORT")
    if not isinstance(destination, DicomDestination):
        fail(f"{name} is not a DICOM destination", Exit.WRONG)
    return peer_of(destination, loaded), loaded.settings.appliance.ae_title
