"""Puts the commands together; `-c FILE` may stand before or after a command.

A command's module is loaded when it is asked for: what one command needs, the others do not wait for.
"""

import os
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from router.cli.options import Config

UMASK = 0o027
COMMANDS = (
    *("serve", "check", "test", "schema", "explain", "replay", "send", "echo", "find", "status", "verify", "demo"),
    *("queue", "held", "study", "config"),  # these have commands of their own
)


class Commands(TyperGroup):
    """The commands, each made when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer's own class of it has moved
        """Their names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """The command; of a name that is none, all are made, as those that are like it are told."""
        for name in (cmd_name,) if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _made(name)
        return self.commands.get(cmd_name)


def _made(name: str) -> Any:  # noqa: ANN401
    module = import_module(f"router.cli.{name}")
    if hasattr(module, "application"):
        group = get_group(module.application)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(module, name))
    return get_command(alone)


application = typer.Typer(
    name="micropacs",
    cls=Commands,
    help="A DICOM routing appliance: one YAML file, one AE title, every study kept, fixed, forwarded and proved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@application.callback()
def micropacs(config: Config = None) -> None:
    """Options that may stand before any command."""
    del config  # taken up by the command: router.cli.options.or_before


def main() -> None:
    """The `micropacs` command; files it and its roles make are 0640 and folders 0750, whatever the login's habit is."""
    os.umask(UMASK)
    application()
