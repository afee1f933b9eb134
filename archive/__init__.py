"""The room that keeps: instances in, instances and answers out. It has never heard of a rule or a destination."""

from archive.archive import Archive
from archive.attributes import INDEXED, Level
from archive.candidates import Candidate
from archive.columns import Blob, Id, Json, UtcDateTime, text
from archive.database import Database
from archive.entry import Entry
from archive.errors import (
    ArchiveError,
    ArchiveFailedError,
    ArchiveFullError,
    ChangedMeanwhileError,
    DamagedError,
    DatabaseUnfitError,
    EntryUnreadableError,
    KeyTakenError,
    NotKeptError,
    QueryError,
    SpoolFailedError,
    SpoolFullError,
    VerificationStoppedError,
)
from archive.files import replace_durably, sync_file, sync_folder
from archive.filing import Filing, InstanceKey, Placed, Rewritten, Version
from archive.history import ChangeMade, InstanceKept, SeriesFiled, SeriesKept, StudyKept
from archive.holding import Held, Hold, Released
from archive.incoming import Incoming
from archive.moving import Place
from archive.origin import Identity, Origin
from archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from archive.past import Beginning, Past, PastArrivals, Undoing, beginning
from archive.quarantine import Round
from archive.query import QUERY_KEYWORDS
from archive.records import Amendment, Known, Record, Recorded, Stored, Summary
from archive.rewriting import Applied, Revised
from archive.sampling import Sample, samples
from archive.spool import Backlog, Spool
from archive.standing import Standing
from archive.synchronising import synchronises
from archive.tables import metadata
from archive.trouble import LOCKED, plainly
from archive.verification import Fault, Finding, Kept

__all__ = [
    "IMPLEMENTATION_CLASS_UID",
    "IMPLEMENTATION_VERSION_NAME",
    "INDEXED",
    "LOCKED",
    "QUERY_KEYWORDS",
    "Amendment",
    "Applied",
    "Archive",
    "ArchiveError",
    "ArchiveFailedError",
    "ArchiveFullError",
    "Backlog",
    "Beginning",
    "Blob",
    "Candidate",
    "ChangeMade",
    "ChangedMeanwhileError",
    "DamagedError",
    "Database",
    "DatabaseUnfitError",
    "Entry",
    "EntryUnreadableError",
    "Fault",
    "Filing",
    "Finding",
    "Held",
    "Hold",
    "Id",
    "Identity",
    "Incoming",
    "InstanceKept",
    "InstanceKey",
    "Json",
    "Kept",
    "KeyTakenError",
    "Known",
    "Level",
    "NotKeptError",
    "Origin",
    "Past",
    "PastArrivals",
    "Place",
    "Placed",
    "QueryError",
    "Record",
    "Recorded",
    "Released",
    "Revised",
    "Rewritten",
    "Round",
    "Sample",
    "SeriesFiled",
    "SeriesKept",
    "Spool",
    "SpoolFailedError",
    "SpoolFullError",
    "Standing",
    "Stored",
    "StudyKept",
    "Summary",
    "Undoing",
    "UtcDateTime",
    "VerificationStoppedError",
    "Version",
    "beginning",
    "metadata",
    "plainly",
    "replace_durably",
    "samples",
    "sync_file",
    "sync_folder",
    "synchronises",
    "text",
]
