"""The configuration in force, as one file that every role reads. Loads no configuration file and watches none."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from router.config.configuration import Configuration
from router.config.loading import load_texts
from router.config.sitesecret import provide_site_secret
from router.errors import RouterError


class SnapshotError(RouterError):
    """There is no configuration in force, or it cannot be read."""


class Snapshot:
    """`<data>/configuration/active.json`: written by the one who accepts a configuration, read by all roles.

    It holds texts with unresolved references; each role resolves secrets from its own environment.
    """

    def __init__(self, data: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._data = data
        self._file = data / "configuration" / "active.json"
        self._environ = environ
        self._seen: tuple[int, int, int] | None = None

    def write(self, configuration: Configuration) -> None:
        """Put `configuration` in force: the file is replaced whole, and on the disk, before this returns.

        Raises OSError; SecretLostError where it makes values from the secret of the site, and that is gone.
        """
        content = {
            "revision": configuration.revision,
            "path": str(configuration.path),
            "texts": dict(configuration.texts),
        }
        folder = self._file.parent
        provide_site_secret(folder.parent, is_needed=configuration.ruleset.needs_secret)
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="active-", suffix=".tmp", dir=folder)
        temporary = Path(name)
        temporary.chmod(0o640)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            _replace(temporary, self._file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _synchronise(folder)

    def read(self) -> Configuration:
        """The configuration in force. Raises SnapshotError, or ConfigurationError when a secret is gone."""
        try:
            seen = self._stamp()
            content = json.loads(self._file.read_text(encoding="utf-8"))
            texts, path, revision = content["texts"], Path(content["path"]), content["revision"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"{self._file} cannot be read ({type(error).__name__})") from None
        self._seen = seen
        configuration = load_texts(texts, path, self._environ, served_from=self._data)
        if configuration.revision != revision:
            raise SnapshotError(f"{self._file} is not the configuration it says it is")
        return configuration

    def changed(self) -> bool:
        """Whether another configuration was put in force since `read`; false when there is none."""
        try:
            return self._stamp() != self._seen
        except OSError:
            return False

    def _stamp(self) -> tuple[int, int, int]:
        found = self._file.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino


def _replace(temporary: Path, file: Path) -> None:
    """Move into place; on Windows a reader may hold the file open for a moment."""
    for _ in range(20):
        try:
            temporary.replace(file)
        except PermissionError:
            time.sleep(0.05)
        else:
            return
    temporary.replace(file)


def _synchronise(folder: Path) -> None:
    """Put the folder's names on the disk; Windows needs and knows no such thing."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
