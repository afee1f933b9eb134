"""What came before of the studies of one batch, for rules that ask for it. It judges nothing."""

import structlog

from archive import Archive, Entry, SeriesFiled
from router.ingest.judgement import Judgement, header_of
from router.reading import read_header
from rules import Attribute, FiledSeries, Readable, RulesError, filed_series

_STUDY = Attribute.parse("StudyInstanceUID")
_UNREADABLE = FiledSeries("*", "")

log = structlog.get_logger(__name__)


class FiledStudies:
    """The series that were filed, by one image of each; every study is looked up once a batch."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._studies: dict[str, tuple[FiledSeries, ...]] = {}

    def series_of(self, entry: Entry) -> tuple[FiledSeries, ...]:
        """The series of the study that the header of `entry` names, as it came. EntryUnreadableError."""
        try:
            uid = "".join(header_of(entry).values(_STUDY) or ())
        except OSError as error:
            raise entry.unreadable(error) from error
        except Exception:  # noqa: BLE001 - the border of the work loop: `judge` meets the same, holds it and tells
            return ()
        return self.of(uid)

    def of(self, uid: str) -> tuple[FiledSeries, ...]:
        """The series of the study of this UID."""
        if uid not in self._studies:
            found = map(_read, self._archive.series_of(uid) if uid else ())
            self._studies[uid] = tuple(each for each in found if each is not None)
        return self._studies[uid]

    def add(self, judgement: Judgement) -> None:
        """One of this batch that shall be filed, too: the next is compared with it."""
        if judgement.key is None or judgement.decision is None:
            return
        uid, found = judgement.key.study_uid, _placed(judgement.decision.header)
        known = self._studies.get(uid, ())
        if found is not None and found not in known:
            self._studies[uid] = (*known, found)


def _read(kept: SeriesFiled) -> FiledSeries | None:
    """The series of a kept instance, None if it has no place; one that cannot be read agrees with no other."""
    try:
        header = read_header(kept.path, kept.data_set_offset, kept.transfer_syntax_uid)
    except (OSError, RulesError):
        return _UNREADABLE
    return _placed(header)


def _placed(header: Readable) -> FiledSeries | None:
    try:
        return filed_series(header)
    except Exception:
        log.exception("frame of reference cannot be read")
        return _UNREADABLE
