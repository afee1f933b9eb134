"""The folder door: instances delivered as files."""

from router.folder.writer import FolderSender

__all__ = ["FolderSender"]
