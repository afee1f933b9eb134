"""The digest of what leaves, taken beside the line."""

import hashlib
import os

import pytest

from router.senders.digest import Digest


@pytest.mark.parametrize("sizes", [(), (10,), (1 << 20,), (1 << 20, 1 << 20, 3), (5, 1 << 18, 0, 1 << 17)])
def test_it_is_that_of_all_pieces_in_order(sizes: tuple[int, ...]) -> None:
    """Short and long pieces give the digest of them all, though a buffer is used again two pieces later."""
    buffers = [bytearray(1 << 20), bytearray(1 << 20)]
    whole, digest = b"", Digest()
    for number, size in enumerate(sizes):
        piece = os.urandom(size)
        buffers[number % 2][:size] = piece
        whole += piece
        digest.update(memoryview(buffers[number % 2])[:size])
    assert digest.hexdigest() == hashlib.sha256(whole).hexdigest()
