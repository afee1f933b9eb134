"""Puts the commands together; `-c FILE` may stand before or after a command."""

import os

import typer

from router.cli import (
    check,
    config,
    demo,
    echo,
    explain,
    find,
    held,
    queue,
    replay,
    schema,
    send,
    serve,
    status,
    study,
    test,
    verify,
)
from router.cli.options import Config

UMASK = 0o027

application = typer.Typer(
    name="micropacs",
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


for command in (
    serve.serve,
    check.check,
    test.test,
    schema.schema,
    explain.explain,
    replay.replay,
    send.send,
    echo.echo,
    find.find,
    status.status,
    verify.verify,
    demo.demo,
):
    application.command()(command)
application.add_typer(queue.application, name="queue")
application.add_typer(held.application, name="held")
application.add_typer(study.application, name="study")
application.add_typer(config.application, name="config")


def main() -> None:
    """The `micropacs` command; files it and its roles make are 0640 and folders 0750, whatever the login's habit is."""
    os.umask(UMASK)
    application()
