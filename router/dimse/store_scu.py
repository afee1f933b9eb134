"""C-STORE as SCU (PS3.4 annex B): data sets as they lie in files, one association for many; never edits or retries."""

from collections.abc import Iterator, Sequence
from itertools import chain

from archive import Identity
from router.dimse.command import Element, Field, store_request
from router.dimse.outgoing import DataSet, Packer
from router.dimse.requestor import Requestor
from router.errors import DataSetUnreadable, ProtocolError


class StoreScu:
    """Sends instances over one association, one after the other."""

    def __init__(self, association: Requestor) -> None:
        self._association = association
        self._packer = Packer(association.peer_pdu_bytes)

    def store(self, identity: Identity, data_set: DataSet) -> int:
        """Send one instance; the status of the response, 0 to 0xFFFF.

        Raises ContextNotAccepted and DataSetUnreadable when nothing was sent and the association goes on; any other
        AssociationError, or DataSetUnreadable in the middle of the file, after the association was aborted
        (`association.is_open` tells).
        """
        association = self._association
        context = association.context(identity.sop_class_uid, identity.transfer_syntax_uid)
        windows = self._packer.windows(data_set, context.context_id)
        first = next(windows, None)  # opens the file before anything is sent
        if first is None:
            raise DataSetUnreadable("the data set is empty")
        command = store_request(association.next_message_id(), identity.sop_class_uid, identity.sop_instance_uid)
        groups: Iterator[Sequence[bytes | memoryview]] = chain([first], windows)
        response = association.request(context, command, groups)
        if response.field != Field.C_STORE_RSP:
            association.abort(source=2)
            raise ProtocolError("a response of another kind")
        return response.number(Element.STATUS)
