"""The site's own secret, from which pseudonyms are made where a rule names none. Made once, never shown."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

SECRET_BYTES = 32
NOT_IN_SERVICE = b"no appliance has run in this folder"  # so that rules can be tried before one has


def site_secret(data: Path, *, for_a_trial: bool) -> bytes:
    """The secret kept in the data folder.

    Where it cannot be had, nothing, from which nobody makes a pseudonym; or one that everybody knows, but only
    `for_a_trial`: what is made of it never leaves.
    """
    with suppress(OSError):
        if len(found := _file(data).read_bytes()) >= SECRET_BYTES:
            return found
    return NOT_IN_SERVICE if for_a_trial else b""


def make_site_secret(data: Path) -> None:
    """See to it that there is one, on the disk, as readable as all else in the data folder. Raises OSError."""
    path = _file(data)
    if path.exists():
        return
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _file(data: Path) -> Path:
    return data / "configuration" / "secret"
