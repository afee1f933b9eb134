"""A scanner's end of the wire, byte by byte, so that it can stop at any one of them. Knows one context a call."""

import socket
import struct
from contextlib import suppress

from tests.faults.studies import EXPLICIT, Instance

_SECONDS = 60.0
_ABORT = struct.pack(">BBI4x", 7, 0, 4)
_RELEASE = struct.pack(">BBI4x", 5, 0, 4)
_P_DATA, _ACCEPTED, _REJECTED = 4, 2, 3
_FRAGMENT_BYTES = 120_000


class NoAnswerError(Exception):
    """The appliance did not answer."""


class RejectedError(NoAnswerError):
    """It answered with A-ASSOCIATE-RJ; its argument is result, source and reason (PS3.8 9.3.4)."""


class Call:
    """One association. Raises NoAnswerError wherever the other end is not there any more."""

    def __init__(self, port: int, calling: str, sop_class_uid: str, address: str = "") -> None:
        """`address` is where it calls from, one of the loopback's."""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS, source_address=(address, 0))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise NoAnswerError from error
        self._messages = 0
        self.send(_request(calling, sop_class_uid))
        kind, body = self._pdu()
        if kind != _ACCEPTED:
            self.close()
            raise RejectedError(tuple(body[1:4])) if kind == _REJECTED else NoAnswerError

    def store(self, instance: Instance) -> int:
        """Send it and give the status."""
        self.send(self.message(instance))
        return self.status()

    def message(self, instance: Instance) -> bytes:
        """The C-STORE request and its data set, as they go over the wire."""
        self._messages += 1
        starts = range(0, len(instance.data), _FRAGMENT_BYTES)
        parts = [instance.data[start : start + _FRAGMENT_BYTES] for start in starts]
        data_set = b"".join(_fragment(2 * (part is parts[-1]), part) for part in parts)
        return _fragment(3, _command(instance, self._messages)) + data_set

    def beginning(self, instance: Instance, length: int) -> bytes:
        """The request and so much of its data set, in whole PDUs, with more to come."""
        self._messages += 1
        return _fragment(3, _command(instance, self._messages)) + _fragment(0, instance.data[:length])

    def send(self, data: bytes) -> None:
        """Send just these bytes."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            self.close()
            raise NoAnswerError from error

    def status(self) -> int:
        """The status of the next C-STORE response."""
        kind, body = self._pdu()
        if kind != _P_DATA:
            self.close()
            raise NoAnswerError
        elements = body[6:]
        while elements:
            group, element, length = struct.unpack_from("<HHI", elements)
            if (group, element) == (0, 0x0900):
                return int(struct.unpack_from("<H", elements, 8)[0])
            elements = elements[8 + length :]
        raise NoAnswerError

    def release(self) -> None:
        """Say goodbye and wait for the answer."""
        with suppress(NoAnswerError):
            self.send(_RELEASE)
            self._pdu()
        self.close()

    def abort(self) -> None:
        """A-ABORT."""
        with suppress(NoAnswerError):
            self.send(_ABORT)
        self.close()

    def reset(self) -> None:
        """Cut the connection as a broken line does: the other end gets a reset."""
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the connection without a word."""
        self._socket.close()

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        data = b""
        try:
            while len(data) < length:
                some = self._socket.recv(length - len(data))
                if not some:
                    raise ConnectionResetError
                data += some
        except OSError as error:
            self.close()
            raise NoAnswerError from error
        return data


def _request(calling: str, sop_class_uid: str) -> bytes:
    syntaxes = _item(0x30, sop_class_uid.encode()) + _item(0x40, EXPLICIT.encode())
    user = _item(0x51, struct.pack(">I", 131072)) + _item(0x52, b"2.25.511")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, bytes((1, 0, 0, 0)) + syntaxes) + _item(0x50, user)
    body = struct.pack(">HH16s16s32x", 1, 0, b"MICROPACS".ljust(16), calling.encode().ljust(16)) + items
    return struct.pack(">BxI", 1, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _fragment(control: int, value: bytes) -> bytes:
    """A P-DATA PDU with one fragment; 3 for a command, 2 for a data set, 0 for a part of one."""
    return struct.pack(">BxIIBB", _P_DATA, len(value) + 6, len(value) + 2, 1, control) + value


def _command(instance: Instance, message: int) -> bytes:
    uids = [uid.encode() + b"\0" * (len(uid) % 2) for uid in (instance.sop_class_uid, instance.uid)]
    values = [
        (0x0002, uids[0]),
        (0x0100, struct.pack("<H", 1)),
        (0x0110, struct.pack("<H", message)),
        (0x0700, struct.pack("<H", 0)),
        (0x0800, struct.pack("<H", 1)),
        (0x1000, uids[1]),
    ]
    rest = b"".join(struct.pack("<HHI", 0, element, len(value)) + value for element, value in values)
    return struct.pack("<HHII", 0, 0, 4, len(rest)) + rest
