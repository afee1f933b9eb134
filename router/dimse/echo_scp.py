"""C-ECHO as SCP (PS3.4 annex A): answers success; looks at nothing."""

from router.dimse.acceptor import Acceptor
from router.dimse.association import AcceptedContext
from router.dimse.command import Command, Field
from router.dimse.status import SUCCESS


class EchoScp:
    """Answers every C-ECHO-RQ."""

    command_field = Field.C_ECHO_RQ

    def serve(self, acceptor: Acceptor, context: AcceptedContext, request: Command) -> None:
        """Respond with success."""
        if request.has_data_set:
            for _ in acceptor.data_set(context):
                pass
        acceptor.respond(context, request, SUCCESS)
