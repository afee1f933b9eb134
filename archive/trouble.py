"""Says in plain words why a database does not do what it is asked. Reads codes only, never what was to be written."""

import sqlite3

from sqlalchemy import false, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError  # noqa: A004

from archive.database import Database
from archive.tables import studies

LOCKED = "another program has it locked"
_SQLITE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_READONLY: "it can be read and not written",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_PERM: "its file cannot be opened",
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_IOERR: "its disk fails",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is no database",
}
_NOTHING = update(studies).where(false()).values(study_instance_uid="")


def of_writing(database: Database) -> str | None:
    """Why nothing can be written just now; None if it can."""
    try:
        with database.begin() as connection:
            connection.execute(_NOTHING)
    except SQLAlchemyError as error:
        return plainly(error) or type(error).__name__
    return None


def plainly(error: BaseException) -> str | None:
    """What is the matter with the database; None where the error is no fault of its."""
    if isinstance(error, TimeoutError):
        return "it answers too slowly"
    if not isinstance(error, DBAPIError):
        return None
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)  # without what SQLite adds to a code to tell more
    if error.connection_invalidated:
        return "its server ended the connection"
    return "its server does not take us" if isinstance(error, OperationalError | InterfaceError) else None
