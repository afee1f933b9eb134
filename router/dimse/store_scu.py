"""C-STORE as SCU (PS3.4 annex B): data sets as they lie in files, one association for many; never edits or retries."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from archive import Identity
from router.dimse.command import Field, store_request
from router.dimse.outgoing import DataSet, Packer
from router.dimse.pdu import data_pdu
from router.dimse.requestor import Request, Requestor
from router.errors import DataSetUnreadable

Windows = Iterator[Sequence[bytes | memoryview]]


class StoreScu:
    """Sends instances over one association, one after the other."""

    def __init__(self, association: Requestor) -> None:
        self._association = association
        self._packer = Packer(association.peer_pdu_bytes)

    def store(self, identity: Identity, data_set: DataSet) -> int:
        """Send one instance; the status of the response, 0 to 0xFFFF. Raises what `prepare` and `send` do."""
        return self.send(self.prepare(identity, data_set))

    def send(self, request: Request, meanwhile: Callable[[], None] = lambda: None) -> int:
        """See `Requestor.request`; DataSetUnreadable as well, in the middle of the file, the association aborted.

        `meanwhile` may prepare the next one.
        """
        return self._association.request(request, meanwhile)

    def prepare(
        self,
        identity: Identity,
        data_set: DataSet,
        sent: Callable[[memoryview], object] | None = None,
        through: Callable[[Windows], Windows] | None = None,
    ) -> Request:
        """Make one instance ready: its data set is opened and begun to be read.

        `sent` is to be called with each piece of its data set that has left, and all of it goes `through` something
        before it does. Raises ContextNotAccepted and DataSetUnreadable; the association goes on.
        """
        association = self._association
        context = association.context(identity.sop_class_uid, identity.transfer_syntax_uid)
        windows: Windows = self._packer.windows(data_set, context.context_id, sent)
        if through is not None:
            windows = through(windows)
        window = next(windows, None)
        if window is None:
            raise DataSetUnreadable("the data set is empty")
        message_id = association.next_message_id()
        command = store_request(message_id, identity.sop_class_uid, identity.sop_instance_uid)
        first = [data_pdu(context.context_id, command, is_command=True), *window]
        return Request(message_id, context, Field.C_STORE_RSP, chain([first], windows))
