"""The seeds by the parser that reads them: whole conversations as recorded, cut into the parts of each parser."""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
_PDV_HEADER = 6


def conversations(side: str = "requestors") -> list[bytes]:
    """Everything one side said in each recorded conversation."""
    return [path.read_bytes() for path in sorted((SEEDS / side).glob("*.pdus"))]


def pdus(said: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each whole PDU in well-formed or cut bytes; an oracle that shares no code with the product."""
    offset = 0
    while offset + 6 <= len(said):
        pdu_type, length = struct.unpack_from(">BxI", said, offset)
        if offset + 6 + length > len(said):
            return
        yield pdu_type, said[offset + 6 : offset + 6 + length]
        offset += 6 + length


def bodies(pdu_type: int) -> list[bytes]:
    """The bodies of this PDU type in all recordings."""
    said = conversations("requestors") + conversations("acceptors")
    return [body for each in said for found, body in pdus(each) if found == pdu_type]


def command_sets() -> list[bytes]:
    """The command sets in all recordings, of which each fits one presentation data value."""
    return [body[_PDV_HEADER:] for body in bodies(4) if body[5] & 1]


@cache
def seeds_of(target: str) -> tuple[bytes, ...]:
    """The inputs a parser begins with: cut from the recordings, and what once was a finding."""
    recorded = {
        "associate_request": lambda: bodies(1),
        "associate_accept": lambda: bodies(2),
        "stream_of_pdus": lambda: conversations("requestors") + conversations("acceptors"),
        "fragments_of_a_pdu": lambda: bodies(4),
        "command_set": command_sets,
        "conversation": conversations,
    }[target]()
    return (*recorded, *(path.read_bytes() for path in sorted((SEEDS / "regressions" / target).glob("*"))))
