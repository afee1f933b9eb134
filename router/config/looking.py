"""Finds the configuration in force when the file it came from is broken, for those who only look at the appliance."""

import re
from pathlib import Path

from router.config.configuration import Configuration, ConfigurationError
from router.config.files import absolute
from router.config.reloading import Snapshot, SnapshotError

_DATA = re.compile(r"""\bdata:\s*["']?([^"',#}\n]+)""")


def configuration_in_force(path: Path) -> Configuration | None:
    """What was accepted last from the file at `path`, whatever the file says now; None if that cannot be found.

    The data folder is guessed from the broken text, and believed only if what lies there came from this very file.
    """
    place = absolute(Path.cwd(), path)
    try:
        text = place.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for folder in dict.fromkeys([*(found.strip() for found in _DATA.findall(text)), "data"]):
        try:
            configuration = Snapshot(absolute(place.parent, Path(folder))).read()
        except (SnapshotError, ConfigurationError, OSError, ValueError):
            continue
        if configuration.path == place:
            return configuration
    return None
