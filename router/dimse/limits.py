"""How much one peer may ask of us and how long it may take; plain numbers, nothing is enforced here."""

from dataclasses import dataclass

ASSOCIATE_BYTES = 196608  # the longest A-ASSOCIATE PDU we read; 128 contexts with 50 syntaxes each take 180,000
COMMAND_BYTES = 65536  # the longest command set we read (PS3.7 9.3 needs a few hundred bytes)


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps in counts and bytes, deadlines in seconds, for one side of an association."""

    associations: int = 100  # at once, in all; one that asks only for Verification does not count
    per_host: int = 50  # at once, from one address
    unassociated: int = 200  # at once, connections that ask for an association; and five times as many silent ones
    first_pdu_seconds: float = 30.0  # from the connection to the end of the A-ASSOCIATE-RQ
    pdu_seconds: float = 60.0  # from the first byte of a PDU to its last, and to hand one PDU to the peer
    idle_seconds: float = 600.0  # between two messages
    message_seconds: float = 3600.0  # from the command of a message to the last byte of its data set
    association_seconds: float = 86400.0  # from the connection on; then it is ended between two messages
    instance_bytes: int = 20_000_000_000  # the longest data set taken
    pdu_bytes: int = 131072  # the maximum PDU length we announce (PS3.8 D.1)
    connect_seconds: float = 10.0  # as requestor: to connect, and to be answered
    response_seconds: float = 60.0  # as requestor: from the end of a request to its response
    linger_seconds: float = 2.0  # for the peer to close after the last word (the ARTIM timer, PS3.8 9.1.5)
