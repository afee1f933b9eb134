"""What has to hold for any bytes, parser by parser: a target raises where it does not. It makes no bytes itself."""

import atexit
import shutil
import socket
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from structlog.testing import capture_logs

from archive import Spool
from router.dimse import EchoScp, Limits, Reception, Sources, StoreScp
from router.dimse.associate import AssociateAccept, decode_accept, decode_request, encode_accept
from router.dimse.command import Element, decode, response
from router.dimse.contexts import answer
from router.dimse.conversation import converse
from router.dimse.limits import ASSOCIATE_BYTES
from router.dimse.pdu import PduReader, PduType, fragments
from router.dimse.stream import Stream
from router.errors import AssociationAborted, ProtocolError
from tests.fuzzing.corpus import pdus

LONGEST_PDU = 16384
SMALLEST_PEER = 512  # the shortest P-DATA-TF a peer may ask us for
QUICK = Limits(
    first_pdu_seconds=1.0,
    pdu_seconds=1.0,
    idle_seconds=1.0,
    linger_seconds=0.1,
    pdu_bytes=LONGEST_PDU,
    instance_bytes=100_000,
)


def associate_request(data: bytes) -> None:
    """Bytes are no A-ASSOCIATE-RQ, or one that can be answered, with an answer that is read as it was meant."""
    try:
        request = decode_request(data)
    except ProtocolError:
        return
    assert 1 <= len(request.contexts) <= 128
    assert (request.called_ae + request.calling_ae).isprintable()
    answers, user = answer(request, LONGEST_PDU)
    encoded = encode_accept(AssociateAccept(answers, user), request)
    assert decode_accept(encoded[6:]) == AssociateAccept(answers, user)
    assert len(encoded) <= len(data) + 4096, "an answer is not much longer than its question"


def associate_accept(data: bytes) -> None:
    """Bytes are no A-ASSOCIATE-AC, or one whose parts are not more than the bytes they came from."""
    with suppress(ProtocolError):
        accept = decode_accept(data)
        assert 4 * (len(accept.contexts) + len(accept.user.roles)) <= len(data)


def command_set(data: bytes) -> None:
    """Bytes are no command set, or one whose response any peer can take in one PDU and read."""
    try:
        request = decode(data)
        answered = response(request, 0xC000, "x" * 100)
    except ProtocolError:
        return
    assert len(answered) + 6 <= SMALLEST_PEER
    back = decode(answered)
    assert back.field == request.field | 0x8000
    assert back.number(Element.MESSAGE_ID_RESPONDED_TO) == request.number(Element.MESSAGE_ID)
    assert not back.has_data_set


def fragments_of_a_pdu(data: bytes) -> None:
    """The body of a P-DATA-TF is refused, or wholly made of its values, none of which is a copy."""
    body = memoryview(data)
    with suppress(ProtocolError):
        found = list(fragments(body))
        assert sum(len(value) + 6 for *_, value in found) == len(data)
        assert all(value.obj is data for *_, value in found)


def stream_of_pdus(data: bytes) -> None:
    """What the reader gives of a stream are the PDUs that are in it, until the first that it refuses."""
    expected = pdus(data)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writing = threading.Thread(target=_say, args=(theirs, data))
        writing.start()
        reader = PduReader(Stream(ours), LONGEST_PDU)
        associate_bytes = ASSOCIATE_BYTES
        try:
            while True:
                only = reader.only_fragment(time.monotonic() + 1, 1) if not associate_bytes else None
                if only is not None:
                    wanted_type, wanted = next(expected)
                    assert wanted_type == PduType.DATA
                    assert [only] == list(fragments(memoryview(wanted)))
                    continue
                pdu_type, body = reader.read(time.monotonic() + 1, 1, associate_bytes)
                assert (pdu_type, bytes(body)) == next(expected)
                assert len(body) <= (LONGEST_PDU if pdu_type is PduType.DATA else ASSOCIATE_BYTES)
                associate_bytes = 0
        except ProtocolError:
            pass
        except AssociationAborted:
            assert next(expected, None) is None, "the stream ended, and a whole PDU was not given"
        finally:
            ours.close()
            writing.join()


def conversation(data: bytes) -> None:
    """Served, bytes end in order and in time: every success is a whole instance in the spool, and nothing else is."""
    spool = _spool()
    answered = bytearray()
    ours, theirs = socket.socketpair()
    started = time.monotonic()
    with ours, theirs, capture_logs() as records:
        threads = [
            threading.Thread(target=_say, args=(theirs, data)),
            threading.Thread(target=_hear, args=(theirs, answered)),
        ]
        for thread in threads:
            thread.start()
        stream = Stream(ours)
        converse(stream, "127.0.0.1", Reception("MICROPACS", (StoreScp(spool), EchoScp()), Sources((), True), QUICK))
        stream.close()  # as its listener does
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive(), "the connection is still open"
    assert time.monotonic() - started < 5, "the end came late"
    assert records[-1]["event"] == "association ended"
    assert records[-1]["ended"] != "internal error", records
    arrivals = spool.sealed(10_000)
    spool.remove(arrivals)
    _check_answers(bytes(answered), len(arrivals))
    assert spool.sweep() == 0, "something half received was left"


TARGETS = {
    target.__name__: target
    for target in (
        associate_request,
        associate_accept,
        command_set,
        fragments_of_a_pdu,
        stream_of_pdus,
        conversation,
    )
}


def _check_answers(answered: bytes, kept: int) -> None:
    """Only whole PDUs that an acceptor may send, and as many successes as instances were kept."""
    said = list(pdus(answered))
    assert sum(6 + len(body) for _, body in said) == len(answered)
    assert {pdu_type for pdu_type, _ in said} <= {2, 3, 4, 6, 7}
    responses = [decode(body[6:]) for pdu_type, body in said if pdu_type == 4]
    stored = [each for each in responses if each.field == 0x8001 and each.number(Element.STATUS) == 0]
    assert len(stored) == kept


def _say(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)


def _hear(sock: socket.socket, heard: bytearray) -> None:
    with suppress(OSError):
        while data := sock.recv(65536):
            heard += data


@cache
def _spool() -> Spool:
    """One spool for all runs of a process, in memory where the system has such a folder."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="fuzzing-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Spool(Path(folder) / "spool")
