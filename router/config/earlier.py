"""Puts the files of an earlier configuration back. Keeps none itself, and puts none in force: who serves does that."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from archive import replace_durably
from router.config.configuration import Configuration, ConfigurationError
from router.config.files import FileUnreadableError, StoredTexts, TextsOnDisk, absolute, relative_name
from router.config.loading import load, load_from
from router.errors import RouterError
from rules import run_tests


class NotPutBackError(RouterError):
    """The earlier configuration cannot be put back."""


class _Over:
    """The files on the disk, as they would be with these texts written over them."""

    def __init__(self, texts: Mapping[str, str], folder: Path) -> None:
        self._disk = TextsOnDisk()
        self._written = StoredTexts(texts, folder)

    def read(self, path: Path) -> str:
        """The file's text; raises FileUnreadableError."""
        try:
            return self._written.read(path)
        except FileUnreadableError:
            return self._disk.read(path)

    def match(self, pattern: Path) -> list[Path]:
        """The files that the pattern fits, sorted."""
        return sorted({*self._written.match(pattern), *self._disk.match(pattern)})


def texts_on_disk(path: Path) -> Mapping[str, str]:
    """The texts of the configuration at `path` by their names, as far as they can be read, be they right or not."""
    place = absolute(Path.cwd(), path)
    try:
        return load(path).texts
    except ConfigurationError as error:
        texts = {}
        for file in error.files:
            with suppress(FileUnreadableError):
                texts[relative_name(file, place.parent)] = TextsOnDisk().read(file)
        return texts


def check_earlier(texts: Mapping[str, str], path: Path, revision: str) -> Configuration:
    """What the files at `path` would be with these texts. NotPutBackError where that is not `revision`, or not good."""
    folder = absolute(Path.cwd(), path).parent
    try:
        configuration = load_from(_Over(texts, folder), path)
    except ConfigurationError as error:
        raise NotPutBackError(f"it cannot be loaded any more:\n{error}") from None
    more = sorted(set(configuration.texts) - set(texts))
    if more:
        raise NotPutBackError(f"these files would be read as well, move them away: {', '.join(more)}")
    if configuration.revision != revision:
        raise NotPutBackError("it would be another configuration today")
    failed = [result.name for result in run_tests(configuration.ruleset) if not result.passed]
    if failed:
        raise NotPutBackError(f"its tests fail: {', '.join(failed)}")
    return configuration


def besides(texts: Mapping[str, str], path: Path, known: Mapping[str, str]) -> Mapping[str, str]:
    """What `put_back` would write over and is not among the `known` texts, as where a broken file does not name it.

    NotPutBackError for what cannot be kept, since it is no text.
    """
    folder = absolute(Path.cwd(), path).parent
    found = {}
    for name, text in texts.items():
        file = absolute(folder, name)
        if name in known or not file.exists():
            continue
        try:
            there = TextsOnDisk().read(file)
        except FileUnreadableError as error:
            raise NotPutBackError(f"{name} would be written over, and cannot be kept: {error}; move it away") from None
        if there != text:
            found[name] = there
    return found


def put_back(texts: Mapping[str, str], path: Path) -> list[str]:
    """Write the files that differ, each whole, the main one last; gives their names. OSError."""
    folder = absolute(Path.cwd(), path).parent
    main = relative_name(absolute(Path.cwd(), path), folder)
    written = []
    for name in sorted(texts, key=lambda name: (name == main, name)):
        file = absolute(folder, name)
        with suppress(FileUnreadableError):
            if TextsOnDisk().read(file) == texts[name]:
                continue
        file = file.resolve()  # a link stays one
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(file, texts[name].encode("utf-8"), file.parent, keeps_owner=file.exists())
        written.append(name)
    return written
