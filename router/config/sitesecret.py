"""The site's own secret, from which pseudonyms are made where a rule names none. Made once, never shown.

A folder that was in use before had one. Where that is gone no other takes its place unless a person says so: the same
patient would get another pseudonym, other UIDs and another shift of dates.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from router.errors import RouterError

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


class SecretLostError(RouterError):
    """The site's secret is gone, and rules make values from it."""

    hint = (
        "put it back from the backup; or, if the same patients may get other pseudonyms, UIDs and dates from now on: "
        "micropacs config new-secret"
    )

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"{_file(data)} is gone or cut short, from which rules make pseudonyms, UIDs or shifts of dates"
        )


def is_secret_lost(data: Path) -> bool:
    """Whether the folder was in use before, and has no secret; one that was cut short is none."""
    with suppress(OSError):
        if _file(data).stat().st_size >= SECRET_BYTES:
            return False
    archive = data / "archive"
    signs = data / "configuration" / "active.json", data / "micropacs.db"
    return any(sign.exists() for sign in signs) or (archive.is_dir() and any(archive.iterdir()))


def provide_site_secret(data: Path, *, is_needed: bool) -> None:
    """Make one where the folder is new. Where it was lost, SecretLostError if it is needed, else nothing. OSError."""
    if not is_secret_lost(data):
        make_site_secret(data)
    elif is_needed:
        raise SecretLostError(data)


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
