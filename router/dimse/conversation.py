"""One association from first to last byte: the border where whatever goes wrong ends that association and no more."""

import time
import traceback

import structlog

from router.dimse.acceptor import Acceptor, Admit, everybody
from router.dimse.breach import Breach, breach_of
from router.dimse.pdu import AbortReason
from router.dimse.reception import Reception
from router.dimse.stream import Stream
from router.errors import AssociationAborted, AssociationError, PeerSilent, ProtocolError

_BY_PROVIDER = 2

log = structlog.get_logger(__name__)


def converse(
    stream: Stream,
    host: str,
    reception: Reception,
    *,
    since: float | None = None,
    admit: Admit = everybody,
) -> None:
    """Serve one connection to its end; never raises, tells the peer when it is this side that ends it, and logs.

    It was opened at `since` (monotonic, default now); `admit` is asked once whether there is room for it.
    """
    started = time.monotonic() if since is None else since
    acceptor = Acceptor(stream, host, reception, started, admit)
    ended = "released"
    try:
        acceptor.accept()
        acceptor.serve()
    except AssociationError as error:
        ended = str(error)
        breach = Breach.NO_REQUEST if _is_pushed_out(acceptor) else breach_of(error, is_accepted=acceptor.is_accepted)
        if breach is not None:
            acceptor.alarm(breach)
        abort_reason = _abort_reason(error, stream)
        if abort_reason is not None:
            acceptor.abort(_BY_PROVIDER, abort_reason)
    except Exception as error:  # noqa: BLE001 - the border of an association; texts of strangers stay out of the log
        ended = "internal error"
        where = traceback.extract_tb(error.__traceback__)[-1]
        log.error(  # noqa: TRY400 - a stranger's text may hold patient data
            "association failed", host=host, error=type(error).__name__, where=f"{where.name}:{where.lineno}"
        )
        acceptor.abort(_BY_PROVIDER, AbortReason.NOT_SPECIFIED)
    log.info(
        "association ended",
        source=acceptor.source.name if acceptor.source else None,
        calling_ae=acceptor.calling_ae,
        called_ae=acceptor.called_as,
        host=host,
        ended=ended,
        seconds=round(time.monotonic() - started, 3),
        answers={f"{status:04X}": count for status, count in sorted(acceptor.statuses.items())},
        **stream.security,
    )


def _is_pushed_out(acceptor: Acceptor) -> bool:
    """True for one that was dropped to make room, before it had brought an association about."""
    return acceptor.stream.is_dropped and not acceptor.is_accepted


def _abort_reason(error: AssociationError, stream: Stream) -> int | None:
    """The reason to abort with, or None when the peer has ended the association itself (PS3.8 table 9-26)."""
    if isinstance(error, ProtocolError):
        return error.reason or AbortReason.NOT_SPECIFIED
    if isinstance(error, PeerSilent) or (isinstance(error, AssociationAborted) and stream.is_stopped):
        return AbortReason.NOT_SPECIFIED
    return None
