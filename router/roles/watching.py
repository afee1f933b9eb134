"""Watches the configuration's files and says when one of them changed; reads none of them."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

SETTLE_SECONDS = 0.3  # an editor writes, renames and touches; one reload for all of it


class _Handler(FileSystemEventHandler):
    def __init__(self, files: frozenset[Path], changed: Callable[[], None]) -> None:
        self._files = files
        self._changed = changed
        self._timer: threading.Timer | None = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Start (again) the short wait after which the change is told."""
        if event.event_type in {"opened", "closed_no_write"}:
            return
        touched = {Path(str(path)).resolve() for path in (event.src_path, event.dest_path) if path}
        if touched.isdisjoint(self._files):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(SETTLE_SECONDS, self._changed)
        self._timer.daemon = True
        self._timer.start()


class Watcher:
    """A running watch; `stop` ends it."""

    def __init__(self, files: Iterable[Path], changed: Callable[[], None]) -> None:
        watched = frozenset(file.resolve() for file in files)
        self._observer = Observer()
        handler = _Handler(watched, changed)
        for folder in {file.parent for file in watched if file.parent.is_dir()}:
            self._observer.schedule(handler, str(folder))
        self._observer.start()

    def stop(self) -> None:
        """End the watch."""
        self._observer.stop()
        self._observer.join()


def watch_files(files: Iterable[Path], changed: Callable[[], None]) -> Watcher:
    """Call `changed` (from another thread) soon after any of `files` is written, replaced or removed."""
    return Watcher(files, changed)
