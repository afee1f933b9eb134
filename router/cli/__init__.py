"""The people's door on the command line: one file a command."""

from router.cli.application import main

__all__ = ["main"]
