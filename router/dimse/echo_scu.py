"""C-ECHO as SCU (PS3.4 annex A): asks a peer whether it is there."""

from router.dimse.command import Field, echo_request
from router.dimse.contexts import IMPLICIT_LITTLE_ENDIAN, VERIFICATION
from router.dimse.limits import Limits
from router.dimse.pdu import data_pdu
from router.dimse.requestor import Peer, Request, Requestor


def echo(peer: Peer, calling_ae: str, limits: Limits | None = None) -> int:
    """Associate, ask, release: the status answered. Raises what Requestor.connect does, and ContextNotAccepted."""
    association = Requestor.connect(peer, calling_ae, [(VERIFICATION, [IMPLICIT_LITTLE_ENDIAN])], limits)
    try:
        context = association.context(VERIFICATION)
        message_id = association.next_message_id()
        pdu = data_pdu(context.context_id, echo_request(message_id, VERIFICATION), is_command=True)
        return association.request(Request(message_id, context, Field.C_ECHO_RSP, [[pdu]]))
    finally:
        association.release()
