"""One way of logging for every role: structured lines on standard error. Never a patient's name or number."""

import logging
import sqlite3
import sys
import traceback
import warnings
from typing import TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from archive import ArchiveError, plainly
from router.errors import RouterError
from rules import RulesError

_OURS = (ArchiveError, RouterError, RulesError, OSError, sqlite3.Error)  # whose texts hold no patient data


def start_logging(role: str, *, json_lines: bool = False, level: int = logging.INFO) -> None:
    """Configure structlog for this process; `role` stands in every line."""
    warnings.simplefilter("ignore")  # pydicom's quote the values they complain of
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_exception)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(told) if json_lines else _as_it_is,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LibraryFormatter("%(levelname)s:%(name)s:%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # as its warnings


def told(exc_info: ExcInfo) -> str:
    """Where an exception came from and of which kind; what it says only if it is one whose text holds no patient data.

    A database's error quotes the row it did not take, a codec's the name it could not encode.
    """
    lines: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = f": {error}" if isinstance(error, _OURS) else ""
        lines.insert(0, f"{frames}{type(error).__module__}.{type(error).__qualname__}{text}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nand then\n".join(lines)


def tell_interruption(log: structlog.typing.FilteringBoundLogger, work: str, error: Exception) -> None:
    """A loop's work failed and is tried again: in one line where it is the database, else with where it came from."""
    reason = plainly(error)
    if reason is not None:
        log.warning("database cannot be reached, trying again", work=work, reason=reason)
    else:
        log.error("work interrupted, trying again", work=work, error=type(error).__name__, exc_info=error)


def reason_of(error: BaseException) -> str:
    """Why something failed, in words that hold no patient data."""
    if reason := plainly(error):
        return reason
    told = getattr(error, "orig", None) or error  # SQLAlchemy's own text has more than the database's
    if isinstance(told, OSError) and told.strerror:
        return told.strerror
    return str(told) if isinstance(told, _OURS) else type(error).__name__


class _LibraryFormatter(logging.Formatter):
    """For lines of libraries, such as a database driver's."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name the library gives it
        return told(ei)  # type: ignore[arg-type]


def _write_exception(stream: TextIO, exc_info: ExcInfo) -> None:
    stream.write("\n" + told(exc_info))


def _as_it_is(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    return event
