"""C-STORE as SCU (PS3.4 annex B): data sets as they lie in files, one association for many; never edits or retries."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from archive import Identity
from router.dimse.association import AcceptedContext
from router.dimse.command import Field, store_request
from router.dimse.outgoing import DataSet, Packer
from router.dimse.requestor import Requestor
from router.errors import DataSetUnreadable


@dataclass(frozen=True, slots=True)
class ReadyRequest:
    """A C-STORE whose data set has been opened and begun to be read; it is the next to be sent, or never is."""

    identity: Identity
    context: AcceptedContext
    windows: Iterator[Sequence[bytes | memoryview]]


class StoreScu:
    """Sends instances over one association, one after the other."""

    def __init__(self, association: Requestor) -> None:
        self._association = association
        self._packer = Packer(association.peer_pdu_bytes)

    def store(self, identity: Identity, data_set: DataSet) -> int:
        """Send one instance; the status of the response, 0 to 0xFFFF. Raises what `prepare` and `send` do."""
        return self.send(self.prepare(identity, data_set))

    def prepare(
        self, identity: Identity, data_set: DataSet, sent: Callable[[memoryview], object] | None = None
    ) -> ReadyRequest:
        """Make one instance ready; `sent` is to be called with each piece of its data set that has left.

        Raises ContextNotAccepted and DataSetUnreadable; the association goes on.
        """
        context = self._association.context(identity.sop_class_uid, identity.transfer_syntax_uid)
        windows = self._packer.windows(data_set, context.context_id, sent)
        first = next(windows, None)
        if first is None:
            raise DataSetUnreadable("the data set is empty")
        return ReadyRequest(identity, context, chain([first], windows))

    def send(self, request: ReadyRequest, meanwhile: Callable[[], None] | None = None) -> int:
        """Send what was prepared last; the status of the response, 0 to 0xFFFF.

        When all of it has left, `meanwhile` is called before the response is waited for: it may prepare the next one,
        and must not raise. Raises an AssociationError, or DataSetUnreadable in the middle of the file, after the
        association was aborted.
        """
        association, identity = self._association, request.identity
        command = store_request(association.next_message_id(), identity.sop_class_uid, identity.sop_instance_uid)
        windows = request.windows if meanwhile is None else _then(request.windows, meanwhile)
        return association.request(request.context, command, Field.C_STORE_RSP, windows)


def _then(
    windows: Iterator[Sequence[bytes | memoryview]], meanwhile: Callable[[], None]
) -> Iterator[Sequence[bytes | memoryview]]:
    """The same windows, and `meanwhile` when the last one has been taken and handed to the kernel."""
    yield from windows
    meanwhile()
