"""`micropacs schema`."""

from router.cli.output import as_json
from router.config import json_schema


def schema() -> None:
    """Print the JSON Schema of the configuration, for editors (VS Code's YAML extension completes from it)."""
    as_json(json_schema())
