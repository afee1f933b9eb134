"""The people's door on the command line: one file a command."""

from router.starting import lean


def main() -> None:
    """The `micropacs` command."""
    with lean():
        from router.cli import application
    application.main()


__all__ = ["main"]
