"""One accepted configuration, as a value, and the error that says why there is none. Loads nothing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from router.certificates import TlsFiles
from router.config.certificates import tls_files
from router.config.files import absolute
from router.config.settings import Settings
from router.config.zone import MachineZone
from router.errors import RouterError
from rules import Position, Problem, Ruleset

REVISION_LENGTH = 12


class ConfigurationError(RouterError):
    """The configuration cannot be used. `files` are those it was read from, or should have been."""

    def __init__(self, problems: Sequence[Problem], files: Sequence[Path] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        self.files = tuple(files)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One accepted configuration, whole. Relative paths in `settings` are taken from `folder`.

    `texts` maps each file's name (relative to `folder`, the main file first) to its text, references unresolved;
    `revision` is the beginning of the digest of them all, `places` are where the rules stand, by name.
    """

    path: Path
    settings: Settings = field(repr=False)
    ruleset: Ruleset = field(repr=False)
    revision: str
    texts: Mapping[str, str] = field(repr=False)
    warnings: tuple[Problem, ...] = field(repr=False)
    places: Mapping[str, Position] = field(repr=False, default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the main file."""
        return self.path.parent

    @property
    def data(self) -> Path:
        """The folder for spool, archive and embedded database."""
        return absolute(self.folder, self.settings.appliance.data)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file this configuration was read from, the main file first."""
        return tuple(absolute(self.folder, name) for name in self.texts)

    @property
    def tls_files(self) -> TlsFiles | None:
        """Where the appliance's certificate, its key and its peers' authorities lie; None without `appliance.tls`."""
        return tls_files(self.settings, self.folder)

    @property
    def zone(self) -> tzinfo:
        """The site's time zone."""
        named = self.settings.appliance.timezone
        return ZoneInfo(named) if named is not None else MachineZone()


def revision_of(texts: Mapping[str, str]) -> str:
    """The revision of a configuration with these texts, be it right or not."""
    digest = hashlib.sha256()
    for name in sorted(texts):
        for part in (name, texts[name]):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:REVISION_LENGTH]
