"""Each parser of the wire against random bytes, spoilt seeds, and every input that once was a finding."""

import random
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dimse.associate import decode_request
from router.dimse.contexts import answer, is_storage
from tests.fuzzing.corpus import bodies, seeds_of
from tests.fuzzing.mutation import spoilt_seed
from tests.fuzzing.targets import TARGETS, associate_request

PARSERS = [name for name in TARGETS if name != "conversation"]
_MEMORY_BYTES = 1_000_000  # far more than any of these needs, far less than a length field can claim


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed(name: str) -> None:
    """What was recorded, and what once was a finding, does what has to hold for all bytes."""
    seeds = seeds_of(name)
    assert len(seeds) >= 3
    for seed in seeds:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", PARSERS)
def test_random_bytes(name: str) -> None:
    """Bytes nobody meant."""

    @given(st.binary(max_size=2000))
    @settings(max_examples=200, deadline=None)
    def hold(data: bytes) -> None:
        TARGETS[name](data)

    hold()


@pytest.mark.parametrize("name", PARSERS)
def test_spoilt_seeds(name: str) -> None:
    """Recorded bytes with changes, within true lengths and without."""

    @given(st.integers(0, 2**32))
    @settings(max_examples=400, deadline=None)
    def hold(seed: int) -> None:
        TARGETS[name](spoilt_seed(name, random.Random(seed)))

    hold()


@pytest.mark.parametrize("name", ["associate_request", "associate_accept", "command_set", "fragments_of_a_pdu"])
def test_memory_is_bounded(name: str) -> None:
    """No input of the longest kind makes a parser take memory beyond its size."""
    longest = {
        "associate_request": bytes(68) + 16000 * struct.pack(">BxH", 0x20, 0),
        "associate_accept": bytes(68) + 8000 * struct.pack(">BxHI", 0x21, 4, 0),
        "command_set": b"".join(struct.pack("<HHI", 0, number, 0) for number in range(8000)),
        "fragments_of_a_pdu": 10000 * struct.pack(">IBB", 2, 1, 0),
    }[name]
    inputs = [longest, *seeds_of(name), *(spoilt_seed(name, random.Random(seed)) for seed in range(50))]
    tracemalloc.start()
    try:
        for data in inputs:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            TARGETS[name](data)
            assert tracemalloc.get_traced_memory()[1] - before < _MEMORY_BYTES + 30 * len(data)
    finally:
        tracemalloc.stop()


def test_as_many_roles_as_fit_into_a_request() -> None:
    """A request full of roles is answered, with those of proposed classes only, so that the answer fits its lengths."""
    uids = [f"2.25.{number}".encode() for number in range(1000, 4855)]
    roles = b"".join(struct.pack(">BxHH", 0x54, len(uid) + 4, len(uid)) + uid + b"\1\0" for uid in uids)
    assert 65400 < len(roles) < 65536
    body = bodies(1)[0] + struct.pack(">BxH", 0x50, len(roles)) + roles
    assert len(decode_request(body).user.roles) == len(uids)
    assert answer(decode_request(body), 16384)[1].roles == ()
    associate_request(body)


def test_what_is_no_uid_is_not_remembered() -> None:
    """Abstract syntaxes of 60,000 characters do not stay in memory."""
    tracemalloc.start()
    try:
        for number in range(100):
            assert not is_storage(f"{number}." * 20_000)
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()
