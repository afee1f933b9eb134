"""Takes the next of what is to be sent while the peer is busy with the last. One ahead, never more; sends nothing."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Ahead(Generic[T, R]):
    """Gives `load(item)` of each item, in order; after `prepare` the next one is at hand already."""

    def __init__(self, items: Iterator[T], load: Callable[[T], R]) -> None:
        self._items = items
        self._load = load
        self._ready: R | None = None
        self._error: Exception | None = None

    def prepare(self) -> None:
        """Have the next one ready. Raises nothing: what goes wrong is raised by `take`, in its turn."""
        if self._ready is None and self._error is None:
            try:
                self._ready = self._next()
            except Exception as error:  # noqa: BLE001 - kept, and raised by `take`
                self._error = error

    def take(self) -> R | None:
        """The next one, None after the last."""
        if self._error is not None:
            raise self._error
        ready, self._ready = self._ready, None
        return ready if ready is not None else self._next()

    def _next(self) -> R | None:
        for item in self._items:
            return self._load(item)
        return None
