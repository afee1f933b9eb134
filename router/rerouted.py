"""Which routes of a configuration send kept instances where, asked of their headers as they are kept. It sends none."""

from collections.abc import Collection, Mapping

from archive import Archive, Stored
from router.config import Configuration
from router.ingest import FiledStudies, arrival_of
from router.reading import read_header
from rules import RulesError


class Rerouted:
    """Answers for the instances of an archive by one configuration."""

    def __init__(self, archive: Archive, configuration: Configuration) -> None:
        self._archive = archive
        self._configuration = configuration
        self._studies = FiledStudies(archive) if configuration.ruleset.asks_for_filed_series else None

    def __call__(self, instance_ids: Collection[int]) -> Mapping[int, Mapping[str, str] | None]:
        """The route by destination, for the instances of these ids; None for one whose header cannot be asked."""
        stored = self._archive.stored(sorted(instance_ids))
        return {number: self._routes(each) for number, each in stored.items()}

    def _routes(self, stored: Stored) -> Mapping[str, str] | None:
        before = self._studies.of(stored.study_uid) if self._studies else ()
        try:
            header = read_header(stored.path, stored.data_set_offset, stored.identity.transfer_syntax_uid)
            arrival = arrival_of(stored.origin, self._configuration.zone, before)
            return self._configuration.ruleset.routed(header, arrival)
        except (OSError, RulesError):
            return None
