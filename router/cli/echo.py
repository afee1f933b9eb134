"""`micropacs echo`: asks a destination whether it answers."""

import time
from typing import Annotated

import typer

from router.cli.options import Config, Json
from router.cli.output import Exit, as_json, console, fail
from router.cli.peers import named_peer
from router.dimse import echo as c_echo
from router.errors import AssociationError


def echo(
    peer: Annotated[str, typer.Argument(metavar="NAME|AET@HOST:PORT", help="Whom to ask.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Send a C-ECHO and say what came back."""
    called, calling = named_peer(config, peer)
    begun = time.monotonic()
    try:
        status = c_echo(called, calling)
    except AssociationError as error:
        if json:
            as_json({"ok": False, "reason": str(error)})
            raise typer.Exit(Exit.NOT_SO) from None
        fail(f"{peer}: {error}", Exit.NOT_SO)
    milliseconds = (time.monotonic() - begun) * 1000
    if json:
        as_json({"ok": status == 0, "status": f"{status:04X}", "milliseconds": round(milliseconds, 1)})
    else:
        console.print(f"{peer} answers {status:04X} after {milliseconds:.0f} ms", markup=False)
    raise typer.Exit(Exit.DONE if status == 0 else Exit.NOT_SO)
