"""Changes within a structure: one part is spoilt and all lengths around it are made true again, or left as they were.

Bytes spoilt at random seldom get past the first length that is checked; these do. Judges nothing.
"""

import random
import struct
from collections.abc import Callable

from tests.fuzzing.corpus import pdus, seeds_of

Spoil = Callable[[bytes], bytes]
_PDV = struct.Struct(">IBB")
_ITEM = struct.Struct(">BxH")
_FIXED_BYTES = 68  # of an A-ASSOCIATE before its items
_NESTED = {0x20: 4, 0x21: 4, 0x50: 0}  # where the sub-items of an item begin


def spoilt(name: str, data: bytes, chance: random.Random, spoil: Spoil) -> bytes:
    """The input of a target changed in one place, within the structure that the target reads."""
    match name:
        case "conversation" | "stream_of_pdus":
            return spoilt_conversation(data, chance, spoil)
        case "associate_request" | "associate_accept":
            return spoilt_body(1, data, chance, spoil)
        case "fragments_of_a_pdu":
            return spoilt_body(4, data, chance, spoil)
        case _:
            return spoil(data)


def spoilt_seed(name: str, chance: random.Random) -> bytes:
    """A seed of a target with one to three changes, half of them such that the lengths stay true."""
    data = chance.choice(seeds_of(name))

    def spoil(part: bytes) -> bytes:
        return noisy(part, chance)

    for _ in range(chance.randrange(1, 4)):
        data = spoilt(name, data, chance, spoil) if chance.random() < 0.5 else spoil(data)
    return data


def noisy(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, or the whole made longer or shorter."""
    changed = bytearray(data)
    match chance.randrange(4):
        case 0:
            del changed[chance.randrange(len(data) + 1) :]
        case 1:
            at = chance.randrange(len(data) + 1)
            changed[at:at] = chance.randbytes(chance.choice((1, 2, 64, 3000)))
        case _:
            for _ in range(chance.randrange(1, 4) if data else 0):
                changed[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
    return bytes(changed)


def spoilt_conversation(said: bytes, chance: random.Random, spoil: Spoil) -> bytes:
    """One PDU of a conversation spoilt inside, doubled, left out or moved; what follows stays as it was."""
    parts = list(pdus(said))
    if not parts:
        return spoil(said)
    at = chance.randrange(len(parts))
    pdu_type, body = parts[at]
    match chance.randrange(8):
        case 0:
            parts.insert(chance.randrange(len(parts) + 1), (pdu_type, body))
        case 1:
            del parts[at]
        case 2:
            parts.insert(chance.randrange(len(parts)), parts.pop(at))
        case _:
            parts[at] = pdu_type, spoilt_body(pdu_type, body, chance, spoil)
    return b"".join(struct.pack(">BxI", number, len(content)) + content for number, content in parts)


def spoilt_body(pdu_type: int, body: bytes, chance: random.Random, spoil: Spoil) -> bytes:
    """One item of an A-ASSOCIATE or the value of a P-DATA-TF spoilt, with the lengths around it true."""
    if pdu_type in (1, 2) and len(body) > _FIXED_BYTES and chance.random() < 0.9:
        return body[:_FIXED_BYTES] + spoilt_items(body[_FIXED_BYTES:], chance, spoil)
    if pdu_type == 4 and len(body) >= _PDV.size and chance.random() < 0.9:
        value = spoil(body[_PDV.size :])
        if chance.random() < 0.2:  # in two values of one PDU
            half = len(value) // 2
            return _value(body[4], body[5] & 1, value[:half]) + _value(body[4], body[5], value[half:])
        return _value(body[4], body[5], value)
    return spoil(body)


def spoilt_items(data: bytes, chance: random.Random, spoil: Spoil) -> bytes:
    """One item of many spoilt, doubled or left out, or one inside it."""
    items: list[tuple[int, bytes]] = []
    offset = 0
    while offset + _ITEM.size <= len(data):
        item_type, length = _ITEM.unpack_from(data, offset)
        items.append((item_type, data[offset + _ITEM.size : offset + _ITEM.size + length]))
        offset += _ITEM.size + length
    if not items:
        return spoil(data)
    at = chance.randrange(len(items))
    item_type, value = items[at]
    match chance.randrange(6):
        case 0:
            items.insert(at, items[at])
        case 1:
            del items[at]
        case _ if item_type in _NESTED and chance.random() < 0.8:
            start = _NESTED[item_type]
            items[at] = item_type, value[:start] + spoilt_items(value[start:], chance, spoil)
        case _:
            items[at] = item_type, spoil(value)
    return b"".join(_ITEM.pack(number, len(value) & 0xFFFF) + value for number, value in items)


def _value(context_id: int, control: int, data: bytes) -> bytes:
    """A presentation data value."""
    return _PDV.pack(len(data) + 2, context_id, control) + data
