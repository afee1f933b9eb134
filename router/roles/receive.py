"""The receive role: associations, C-STORE to the spool, C-ECHO. Needs the disk only; never the database."""

import argparse
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from archive import ArchiveError, Spool
from router.appliance import free_space, open_spool
from router.config import Configuration
from router.dimse import Alarm, EchoScp, Limits, Listener, Reception, ServerTls, StoreScp
from router.disks import DiskGoneError
from router.roles.listening import listen
from router.roles.process import ActiveConfiguration, Trouble, stop_when_told
from router.security import Ledger, ledger_folder
from router.sources import sources_of
from router.telemetry import start_logging

DRAIN_SECONDS = 20.0
TROUBLE_SECONDS = 1.0

log = structlog.get_logger(__name__)


def main() -> None:
    """Run the role until told to stop."""
    parser = argparse.ArgumentParser(prog="receive")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--socket", type=int, help="the listening socket, handed over by the supervisor")
    parser.add_argument("--tls-socket", type=int, help="the same for TLS")
    arguments = parser.parse_args()
    start_logging("receive")
    allow_descriptors()
    stop = stop_when_told()
    active = ActiveConfiguration(arguments.data)
    configuration = active()
    spool = _opened(configuration, stop)
    if spool is None:
        return
    ledger = Ledger(ledger_folder(arguments.data))
    ledger.start()
    swept = spool.sweep()
    if swept:
        log.info("unfinished instances of an earlier run removed, none was acknowledged", instances=swept)
    appliance = configuration.settings.appliance
    if arguments.socket is not None:
        plain = [socket.socket(fileno=arguments.socket)]
        secured = [socket.socket(fileno=arguments.tls_socket)] if arguments.tls_socket is not None else []
    else:
        plain = [listen(appliance.listen)]
        secured = [listen(appliance.tls.listen)] if appliance.tls and appliance.tls.listen else []
    _receive(plain, secured, spool, ledger, active, stop)
    spool.close()
    ledger.stop()


def _opened(configuration: Configuration, stop: threading.Event) -> Spool | None:
    """The spool once its disk can be used; None if told to stop before that."""
    trouble = Trouble()
    while not stop.is_set():
        try:
            return open_spool(configuration)
        except (OSError, ArchiveError, DiskGoneError) as error:
            trouble.tell("spool cannot be used, trying again", error)
            stop.wait(TROUBLE_SECONDS)
    return None


def _receive(
    plain: Sequence[socket.socket],
    secured: Sequence[socket.socket],
    spool: Spool,
    ledger: Ledger,
    active: ActiveConfiguration,
    stop: threading.Event,
) -> None:
    listener = Listener(plain, reception(active(), spool, ledger.note), secured)
    listener.start()
    log.info("receiving", revision=active().revision)

    def accept(configuration: Configuration) -> None:
        spool.free_space = free_space(configuration)
        listener.reconfigure(reception(configuration, spool, ledger.note))

    active.follow(stop, accept)
    listener.accept_no_more()
    for listening in (*plain, *secured):
        listening.close()  # before the drain: whoever takes our place, after a killed supervisor too, can have the port
    listener.stop(DRAIN_SECONDS)


def allow_descriptors() -> None:
    """Let this process have as many descriptors as the system lets it: each connection is one."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(OSError, ValueError):  # macOS says it has no limit, and takes none
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def reception(configuration: Configuration, spool: Spool, alarm: Alarm) -> Reception:
    """What `configuration` means for associations that begin now; `alarm` hears of every breach."""
    appliance = configuration.settings.appliance
    limits = appliance.limits
    files = configuration.tls_files
    return Reception(
        ae_title=appliance.ae_title,
        services=(StoreScp(spool), EchoScp()),
        sources=sources_of(configuration),
        limits=Limits(
            associations=limits.associations,
            per_host=limits.per_host,
            unassociated=limits.unassociated,
            first_pdu_seconds=limits.first_pdu,
            pdu_seconds=limits.pdu,
            idle_seconds=limits.idle,
            message_seconds=limits.message,
            association_seconds=limits.association,
            instance_bytes=limits.instance,
            pdu_bytes=limits.pdu_size,
        ),
        alarm=alarm,
        tls=ServerTls(files, appliance.tls.clients) if files is not None and appliance.tls is not None else None,
    )


if __name__ == "__main__":
    main()
