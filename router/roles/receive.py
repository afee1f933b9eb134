"""The receive role: associations, C-STORE to the spool, C-ECHO. Needs the disk only; never the database."""

import argparse
import socket
import threading
from pathlib import Path

import structlog

from archive import Spool
from router.appliance import free_space, open_spool
from router.config import Configuration, DicomSource
from router.dimse import EchoScp, Limits, Listener, Reception, Source, Sources, StoreScp
from router.roles.listening import listen
from router.roles.process import ActiveConfiguration, stop_when_told
from router.telemetry import start_logging

DRAIN_SECONDS = 20.0

log = structlog.get_logger(__name__)


def main() -> None:
    """Run the role until told to stop."""
    parser = argparse.ArgumentParser(prog="receive")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--socket", type=int, help="the listening socket, handed over by the supervisor")
    arguments = parser.parse_args()
    start_logging("receive")
    stop = stop_when_told()
    active = ActiveConfiguration(arguments.data)
    configuration = active()
    spool = open_spool(configuration)
    swept = spool.sweep()
    if swept:
        log.info("unfinished instances of an earlier run removed, none was acknowledged", instances=swept)
    address = configuration.settings.appliance.listen
    listening = socket.socket(fileno=arguments.socket) if arguments.socket is not None else listen(address)
    _receive(listening, spool, active, stop)
    spool.close()


def _receive(listening: socket.socket, spool: Spool, active: ActiveConfiguration, stop: threading.Event) -> None:
    listener = Listener([listening], reception(active(), spool))
    listener.start()
    log.info("receiving", revision=active().revision)

    def accept(configuration: Configuration) -> None:
        spool.free_space = free_space(configuration)
        listener.reconfigure(reception(configuration, spool))

    active.follow(stop, accept)
    listener.accept_no_more()
    listening.close()  # before the drain: whoever takes our place, after a killed supervisor too, can have the port
    listener.stop(DRAIN_SECONDS)


def reception(configuration: Configuration, spool: Spool) -> Reception:
    """What `configuration` means for associations that begin now."""
    appliance = configuration.settings.appliance
    limits = appliance.limits
    sources = tuple(
        Source(name, source.ae_title, source.host)
        for name, source in configuration.settings.sources.items()
        if isinstance(source, DicomSource)
    )
    return Reception(
        ae_title=appliance.ae_title,
        services=(StoreScp(spool), EchoScp()),
        sources=Sources(sources, accept_unknown=appliance.unknown_sources == "accept"),
        limits=Limits(
            associations=limits.associations,
            per_host=limits.per_host,
            first_pdu_seconds=limits.first_pdu,
            pdu_seconds=limits.pdu,
            idle_seconds=limits.idle,
            instance_bytes=limits.instance,
        ),
    )


if __name__ == "__main__":
    main()
