"""Write transactions that are tried again when the database chose them to end a deadlock. Knows no table."""

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from archive import Database

ATTEMPTS = 8
FIRST_WAIT_SECONDS = 0.005
_MYSQL_DEADLOCK = {1205, 1213}
_SQLSTATES = {"40001", "40P01"}

T = TypeVar("T")


def write(database: Database, work: Callable[[sa.Connection], T]) -> T:
    """What `work` gives in one committed transaction; it is called again, from the start, after a deadlock."""
    wait = FIRST_WAIT_SECONDS
    for _ in range(ATTEMPTS - 1):
        try:
            with database.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if not _is_deadlock(error):
                raise
        time.sleep(wait)
        wait *= 2
    with database.begin() as connection:
        return work(connection)


def _is_deadlock(error: DBAPIError) -> bool:
    original = error.orig
    first = original.args[0] if original is not None and original.args else None
    return first in _MYSQL_DEADLOCK or getattr(original, "sqlstate", None) in _SQLSTATES
