"""C-STORE as SCP (PS3.4 annex B): fragments go straight to the spool; success means synchronised. Edits nothing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog

from archive import ArchiveError, Identity, Origin, Spool
from router.dimse.acceptor import Acceptor
from router.dimse.association import AcceptedContext
from router.dimse.breach import Breach
from router.dimse.command import Command, Field
from router.dimse.status import (
    CANNOT_UNDERSTAND,
    DATA_SET_DOES_NOT_MATCH,
    INVALID_SOP_INSTANCE,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    RefusedError,
    status_of,
)
from rules import HeaderError, HeaderIncompleteError, begins_as, identify

_UID = re.compile(r"[0-9.]{1,64}")
_MISMATCHES = frozenset((DATA_SET_DOES_NOT_MATCH, INVALID_SOP_INSTANCE, SOP_CLASS_NOT_SUPPORTED))
_HEADS_BYTES = (512, 4096, 2**20)  # the two UIDs mostly stand in the first of these; so long they are looked for

log = structlog.get_logger(__name__)


class StoreScp:
    """Takes instances into one spool."""

    command_field = Field.C_STORE_RQ

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def serve(self, acceptor: Acceptor, context: AcceptedContext, request: Command) -> None:
        """Take one instance and respond with the truth about it."""
        if not request.has_data_set:
            acceptor.respond(context, request, CANNOT_UNDERSTAND, "there is no data set")
            return
        data_set = acceptor.data_set(context)
        try:
            self._take(acceptor, context, request, data_set)
        except (ArchiveError, HeaderError, RefusedError) as error:
            status, comment = status_of(error)
            if status in _MISMATCHES:
                acceptor.alarm(Breach.MISMATCH)
            log.warning(
                "instance refused",
                source=acceptor.source.name if acceptor.source else None,
                calling_ae=acceptor.calling_ae,
                host=acceptor.host,
                status=f"{status:04X}",
                reason=comment,
            )
            for _ in data_set:  # a peer listens only when it has sent everything
                pass
            acceptor.respond(context, request, status, comment)
        else:
            acceptor.respond(context, request, SUCCESS)

    def _take(
        self, acceptor: Acceptor, context: AcceptedContext, request: Command, data_set: Iterator[memoryview]
    ) -> None:
        identity = Identity(*request.instance(), context.transfer_syntax)
        is_other_class = identity.sop_class_uid != context.abstract_syntax
        if not _UID.fullmatch(identity.sop_instance_uid) or (
            is_other_class and not _UID.fullmatch(identity.sop_class_uid)
        ):
            raise RefusedError(INVALID_SOP_INSTANCE, "a UID of the command is not valid")
        if is_other_class:
            raise RefusedError(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not the one of the presentation context")
        origin = Origin(
            acceptor.source.name if acceptor.source else None,
            acceptor.calling_ae,
            acceptor.called_ae,
            acceptor.host,
            datetime.now(UTC),
        )
        with self._spool.open(identity, origin) as incoming:
            first = next(data_set)
            incoming.write(first)
            head = bytes(first[: _HEADS_BYTES[0]])
            is_known = begins_as(head, context.transfer_syntax, identity.sop_class_uid, identity.sop_instance_uid)
            check = None if is_known else _IdentityCheck(identity, first)
            for fragment in data_set:
                incoming.write(fragment)
                if check is not None:
                    check.update(fragment)
            if check is not None:
                check.finish()
            incoming.seal()


class _IdentityCheck:
    """Follows a data set until it is known that it is the instance its command says; RefusedError, HeaderError."""

    def __init__(self, identity: Identity, first: memoryview) -> None:
        self._identity = identity
        self._head = bytearray()
        self._is_known = False
        self.update(first)

    def update(self, fragment: memoryview) -> None:
        """The next bytes of the data set."""
        if self._is_known:
            return
        before = len(self._head)
        self._head += fragment[: _HEADS_BYTES[-1] - before]
        for size in _HEADS_BYTES:
            if not self._is_known and before < size <= len(self._head):
                self._look(size, is_all=size == _HEADS_BYTES[-1])

    def finish(self) -> None:
        """There are no more."""
        if not self._is_known:
            self._look(len(self._head), is_all=True)

    def _look(self, size: int, *, is_all: bool) -> None:
        identity = self._identity
        try:
            found = identify(bytes(self._head[:size]), identity.transfer_syntax_uid)
        except HeaderIncompleteError:
            if is_all:
                raise
            return
        self._is_known = found == (identity.sop_class_uid, identity.sop_instance_uid)
        if not self._is_known and (is_all or all(found)):
            raise RefusedError(DATA_SET_DOES_NOT_MATCH, "the UIDs of data set and command differ")
