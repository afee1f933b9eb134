"""`micropacs schema`."""

from router.cli.options import Config, Json
from router.cli.output import as_json
from router.config import json_schema


def schema(config: Config = None, json: Json = False) -> None:
    """Print the JSON Schema of the configuration, for editors (VS Code's YAML extension completes from it)."""
    del config, json  # the schema is of every configuration, and JSON in any case
    as_json(json_schema())
