"""Arriving: from a sealed spool entry to the archive, the index and the queue."""

from router.ingest.filing import Filer
from router.ingest.judgement import Judgement, judge

__all__ = ["Filer", "Judgement", "judge"]
