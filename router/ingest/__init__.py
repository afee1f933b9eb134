"""Arriving: from a sealed spool entry to the archive, the index and the queue."""

from router.ingest.filing import Filer

__all__ = ["Filer"]
