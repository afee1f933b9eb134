"""Arriving: from a sealed spool entry to the archive, the index and the queue."""

from router.ingest.filed import FiledStudies
from router.ingest.filing import Filer
from router.ingest.judgement import CUT_SHORT, KEY, UID, arrival_of, fault_of
from router.ingest.people import is_mixed, people_of
from router.ingest.reader import BATCH_BYTES, Reader
from router.ingest.warning import WARNED, warnings_since
from router.ingest.wholeness import is_cut_short

__all__ = [
    "BATCH_BYTES",
    "CUT_SHORT",
    "KEY",
    "UID",
    "WARNED",
    "FiledStudies",
    "Filer",
    "Reader",
    "arrival_of",
    "fault_of",
    "is_cut_short",
    "is_mixed",
    "people_of",
    "warnings_since",
]
