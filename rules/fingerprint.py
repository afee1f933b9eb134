"""Tells whether secrets are the same as they were, without keeping them. What they are for is not known here."""

import hashlib
from collections.abc import Iterable

_ROUNDS = 100_000  # who tries passwords against a fingerprint shall be slow at it; it is made once a route
_BYTES = 16


def fingerprint(values: Iterable[str], key: bytes) -> str:
    """The same for the same values in the same order, and another for others; `key` is the site's own secret."""
    digest = hashlib.sha256()
    for value in values:
        encoded = value.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return hashlib.pbkdf2_hmac("sha256", digest.digest(), b"made from\0" + key, _ROUNDS, _BYTES).hex()
