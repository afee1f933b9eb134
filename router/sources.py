"""Who sends, by one configuration: for associations that begin, and anew for what is filed under a later one."""

from dataclasses import replace

from archive import Origin
from router.config import Configuration, DicomSource
from router.dimse import Source, Sources


def sources_of(configuration: Configuration) -> Sources:
    """The sources of `configuration`, and whether others may send."""
    settings = configuration.settings
    named = settings.sources.items()
    return Sources(
        tuple(Source(name, each.ae_title, each.host) for name, each in named if isinstance(each, DicomSource)),
        accept_unknown=settings.appliance.unknown_sources == "accept",
    )


class Naming:
    """Gives origins the name that their source has in the configuration under which they are filed.

    The association may have begun under another one, and rules speak of sources as their own configuration names them.
    """

    def __init__(self) -> None:
        self._latest = ("", Sources())

    def named(self, origin: Origin, configuration: Configuration) -> Origin:
        """The origin with its source's name; as it is if the configuration has no other for it. For all threads."""
        known = configuration.settings.sources.get(origin.source) if origin.source is not None else None
        if isinstance(known, DicomSource) and known.ae_title == origin.calling_ae:
            return origin
        revision, sources = self._latest
        if revision != configuration.revision:
            sources = sources_of(configuration)
            self._latest = (configuration.revision, sources)
        source = sources.find(origin.calling_ae, origin.host)
        return origin if source is None else replace(origin, source=source.name)
