"""The schema of those who send (sources) and those who are sent to (destinations). Opens no connection."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Tag, model_validator

from router.config.fields import AeTitle, Count, Factor, FilePath, Host, Part, Port, Sender, refusal
from router.config.secrets import Secret
from rules import Duration, Flag, GiveUp, Window

IMPORT = "import"  # the source of what comes from a medium; every site has it


class Retry(Part):
    """When a delivery that failed is tried again."""

    first: Duration = 30.0
    """How long after the first failure; default 30s."""
    factor: Factor = 2.0
    """How many times longer each next wait is; default 2."""
    longest: Duration = 3600.0
    """No wait is longer than this; default 1h."""
    give_up: GiveUp = GiveUp(None, None)
    """never (default), a duration such as 7d, or a number such as 20 attempts."""

    @model_validator(mode="after")
    def _longest_is_not_shorter_than_first(self) -> Self:
        if self.longest < self.first:
            raise refusal("'longest' is shorter than 'first'", key="longest")
        return self


class _Destination(Part):
    """What every kind of destination shares."""

    retry: Retry = Retry()
    """When a delivery that failed is tried again."""
    window: Window | None = None
    """Deliveries go out only within this window, in the site's time zone."""
    connections: Count = 1
    """How many connections may be open at a time."""
    description: str | None = None
    """What this is, for people."""
    contact: str | None = None
    """Whom to ask."""


class Timeouts(Part):
    """How long a destination may take before it counts as failing."""

    connect: Duration = 10.0
    """To be connected, and again to be answered whether it associates; default 10s."""
    pdu: Duration = 60.0
    """To take in one PDU, at most 256 KiB; default 60s."""
    response: Duration = 60.0
    """To answer once an instance has been handed over; default 60s."""


class DicomDestination(_Destination):
    """A peer that takes C-STORE."""

    type: Literal["dicom"] = "dicom"
    """The kind of destination: dicom (default), folder or dicomweb."""
    ae_title: AeTitle
    """The AE title it is called by, 1 to 16 characters."""
    host: Host
    """Its address or name."""
    port: Port = 104
    """Its port."""
    tls: Flag = False
    """Send encrypted only, with the certificate of appliance.tls, to a peer that proves to be this host."""
    timeouts: Timeouts = Timeouts()
    """How long it may take before it counts as failing."""
    commitment: Flag = False
    """Ask for storage commitment; delivered only when committed."""


class FolderDestination(_Destination):
    """A folder that gets DICOM files (PS3.10)."""

    type: Literal["folder"]
    """The kind of destination: dicom (default), folder or dicomweb."""
    path: FilePath
    """The folder, relative to the configuration file."""


class DicomWebDestination(_Destination):
    """A server that takes STOW-RS."""

    type: Literal["dicomweb"]
    """The kind of destination: dicom (default), folder or dicomweb."""
    url: str
    """The base address of its DICOMweb service."""
    token: Secret | None = None
    """A bearer token; "${NAME}" keeps it out of this file."""


class DicomSource(Part):
    """A device that sends C-STORE."""

    type: Literal["dicom"] = "dicom"
    """The kind of source: dicom (default) or folder."""
    ae_title: AeTitle
    """The AE title it calls itself."""
    host: Sender | None = None
    """Its address, network (10.1.0.0/16) or name; without it any address may use the title."""
    description: str | None = None
    """What this is, for people."""
    contact: str | None = None
    """Whom to ask."""


class FolderSource(Part):
    """A folder that is watched."""

    type: Literal["folder"]
    """The kind of source: dicom (default) or folder."""
    path: FilePath
    """The folder, relative to the configuration file."""
    description: str | None = None
    """What this is, for people."""
    contact: str | None = None
    """Whom to ask."""


def _type_of(value: object) -> str:
    found = value.get("type", "dicom") if isinstance(value, dict) else getattr(value, "type", "dicom")
    return str(found)


def _by_type(*known: str) -> Discriminator:
    message = f"'type' must be {', '.join(known[:-1])} or {known[-1]}"
    return Discriminator(
        _type_of,
        custom_error_type="type",
        custom_error_message=message,
        custom_error_context={"key": "type", "known": ", ".join(known)},
    )


Destination = Annotated[
    Annotated[DicomDestination, Tag("dicom")]
    | Annotated[FolderDestination, Tag("folder")]
    | Annotated[DicomWebDestination, Tag("dicomweb")],
    _by_type("dicom", "folder", "dicomweb"),
]
Source = Annotated[
    Annotated[DicomSource, Tag("dicom")] | Annotated[FolderSource, Tag("folder")], _by_type("dicom", "folder")
]
