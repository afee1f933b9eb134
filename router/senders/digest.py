"""The SHA-256 of a data set on its way out, taken beside the line that sends it. Sends and keeps nothing."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

_LONG_BYTES = 1 << 17  # what is shorter is done before another thread would have begun

_hashers = ThreadPoolExecutor(2, thread_name_prefix="digest")


class Digest:
    """Grows piece by piece; a long piece is read until the next one is given, or the digest asked for."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._under_way: Future[None] | None = None

    def update(self, piece: memoryview) -> None:
        """The next bytes; they must stay as they are for so long."""
        self._wait()
        if len(piece) < _LONG_BYTES:
            self._hash.update(piece)
        else:
            self._under_way = _hashers.submit(self._hash.update, piece)

    def hexdigest(self) -> str:
        """The digest of all bytes given."""
        self._wait()
        return self._hash.hexdigest()

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()
