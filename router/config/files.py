"""Where the texts of a configuration come from: the disk, or texts accepted before. Understands none of them."""

import fnmatch
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from router.errors import RouterError

LONGEST_FILE_BYTES = 50_000_000


class FileUnreadableError(RouterError):
    """The file cannot be read."""


class Texts(Protocol):
    """Gives the texts of files by their absolute paths."""

    def read(self, path: Path) -> str:
        """The file's text; raises FileUnreadableError."""
        ...

    def match(self, pattern: Path) -> list[Path]:
        """The files that the pattern fits, sorted; it may have wildcards in any part, `**` for folders of any depth."""
        ...


class TextsOnDisk:
    """The files as they are now."""

    def read(self, path: Path) -> str:
        """The file's text; raises FileUnreadableError."""
        try:
            with path.open("rb") as file:
                content = file.read(LONGEST_FILE_BYTES + 1)
        except OSError as error:
            raise FileUnreadableError(error.strerror or "it cannot be read") from None
        if len(content) > LONGEST_FILE_BYTES:
            raise FileUnreadableError(f"it is longer than {LONGEST_FILE_BYTES:,} bytes")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise FileUnreadableError(f"it is not text in UTF-8 (line {line}); save it as such") from None

    def match(self, pattern: Path) -> list[Path]:
        """The files that the pattern fits, sorted; it may have wildcards in any part, `**` for folders of any depth."""
        fixed = next(folder for folder in pattern.parents if not has_wildcard(str(folder)))
        if not fixed.is_dir():
            return []
        found = fixed.glob(str(pattern.relative_to(fixed)))
        return sorted(path for path in found if matches(path, pattern) and path.is_file())


class StoredTexts:
    """The texts of a configuration that was accepted before, by their names relative to its folder."""

    def __init__(self, texts: Mapping[str, str], folder: Path) -> None:
        self._texts = {absolute(folder, name): text for name, text in texts.items()}

    def read(self, path: Path) -> str:
        """The file's text; raises FileUnreadableError."""
        try:
            return self._texts[path]
        except KeyError:
            raise FileUnreadableError("it is not among the stored texts") from None

    def match(self, pattern: Path) -> list[Path]:
        """The files that the pattern fits, sorted; it may have wildcards in any part, `**` for folders of any depth."""
        return sorted(path for path in self._texts if matches(path, pattern))


def absolute(folder: Path, name: str | Path) -> Path:
    """The path `name`, taken from `folder`, without `..`."""
    return Path(os.path.normpath(folder / Path(name).expanduser()))


def relative_name(path: Path, folder: Path) -> str:
    """The name a file is stored under: relative to the folder where it is inside, with forward slashes."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def has_wildcard(name: str) -> bool:
    """Whether the name is a pattern."""
    return any(character in name for character in "*?[")


def matches(path: Path, pattern: Path) -> bool:
    """Whether the path fits the pattern, part by part; hidden names fit only a part that begins with a dot."""
    return _fit(path.parts, pattern.parts)


def _fit(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return _fit(names, parts[1:]) or (not names[0].startswith(".") and _fit(names[1:], parts))
    is_hidden = names[0].startswith(".") and not parts[0].startswith(".")
    return not is_hidden and fnmatch.fnmatchcase(names[0], parts[0]) and _fit(names[1:], parts[1:])
