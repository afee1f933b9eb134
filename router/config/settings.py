"""The schema of the whole configuration file, section by section. Reads no file, compares no two sections."""

import re
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from router.config.fields import Address, AeTitle, Count, FilePath, ListenAddress, Part, refusal
from router.config.nodes import Destination, Source
from router.config.secrets import Secret
from rules import Duration, Flag, RulesSettings, Size, closest, one_of, parse_duration

DATABASES = ("sqlite", "postgresql+psycopg", "mysql+pymysql")
SMALLEST_PDU, LARGEST_PDU = 4096, 2**20
DEFAULT_LISTEN = Address("0.0.0.0", 11112)  # noqa: S104 - scanners call from other machines
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVERY = re.compile(r"every +(\S.*)", re.IGNORECASE)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise refusal(f"{text!r} is not a name: letters, digits, '.', '-' and '_', at most 64")
    return text


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text.strip()).key
    except (OSError, ValueError, KeyError):
        raise refusal(f"there is no time zone {text!r}", suggestion=closest(text, available_timezones())) from None


def _database(secret: Secret) -> Secret:
    try:
        scheme = make_url(secret.reveal()).drivername
    except ArgumentError:
        raise refusal("'database' is not a database address such as postgresql+psycopg://user@host/name") from None
    if scheme not in DATABASES:
        known = ", ".join(f"{name}://" for name in DATABASES)
        raise refusal(f"'database' must begin with one of {known}", suggestion=closest(scheme, DATABASES))
    return secret


def _choice(*allowed: str) -> PlainValidator:
    return PlainValidator(lambda value: one_of(value, allowed))


def _every(value: object) -> float | None:
    """Seconds between two times, None for never."""
    text = str(value).strip()
    if text.lower() == "never":
        return None
    match = _EVERY.fullmatch(text)
    if not match:
        raise refusal(f"{value!r} is neither 'never' nor an interval such as 'every 30d'")
    return parse_duration(match[1])


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _pdu_size(size: int) -> int:
    if not SMALLEST_PDU <= size <= LARGEST_PDU:
        raise refusal(f"a PDU may have {SMALLEST_PDU} to {LARGEST_PDU} bytes, not {size}")
    return size


Name = Annotated[str, AfterValidator(_name)]


class Limits(Part):
    """What peers may take, one and all together, so that none locks out the others."""

    associations: Count = 100
    """Associations at a time, in all; those that ask only for Verification do not count."""
    per_host: Count = 50
    """Associations at a time from one address."""
    unassociated: Count = 200
    """Connections at a time that ask for an association; one more takes the place of the oldest. Five times as many
    may be silent."""
    first_pdu: Duration = 30.0
    """A connection that asks for no association within this time is closed; default 30s."""
    pdu: Duration = 60.0
    """A PDU that has begun must be complete within this time; default 60s."""
    idle: Duration = 600.0
    """An association that says nothing for this long is aborted; default 10m."""
    message: Duration = 3600.0
    """An instance must be complete within this time from its C-STORE request; default 1h."""
    association: Duration = 86400.0
    """An association that lasts longer is aborted between two messages; default 1d."""
    pdu_size: Annotated[Size, AfterValidator(_pdu_size)] = 131072
    """The longest PDU that is taken, 4096B to 1MiB; default 128KiB."""
    instance: Size = 20_000_000_000
    """A larger instance is refused; default 20GB."""


class Tls(Part):
    """Encrypted DICOM (TLS 1.2 and 1.3, PS3.15 B.12): on a second port, and towards destinations that say `tls`."""

    certificate: FilePath
    """The appliance's certificate, and those between it and its authority, PEM; relative to this file."""
    key: FilePath
    """The private key of the certificate, PEM, without a passphrase."""
    authorities: FilePath | None = None
    """The certificates of the authorities that peers' certificates must come from, PEM."""
    listen: Annotated[ListenAddress, WithJsonSchema({"type": "string", "examples": ["0.0.0.0:2762"]})] | None = None
    """Where to listen, such as 0.0.0.0:2762; without it there is no second port."""
    clients: Annotated[
        str,
        _choice("required", "optional", "none"),
        WithJsonSchema({"type": "string", "enum": ["required", "optional", "none"]}),
    ] = "required"
    """Whether those who call must show a certificate: required (default), optional or none."""

    @model_validator(mode="after")
    def _clients_can_be_checked(self) -> Self:
        if self.listen is not None and self.clients != "none" and self.authorities is None:
            message = "'authorities' is missing: without it no client can be checked; or write clients: none"
            raise refusal(message)
        return self


class ApplianceSettings(Part):
    """What the appliance is called, where it listens and where it keeps things."""

    ae_title: AeTitle = "MICROPACS"
    """The one AE title every scanner sends to."""
    listen: ListenAddress = DEFAULT_LISTEN
    """Where to listen for DICOM, host:port."""
    web: ListenAddress | None = None
    """Where to serve the web page, host:port; without it there is none."""
    data: FilePath = Path("data")
    """Spool, archive and embedded database; relative to this file."""
    database: Annotated[Secret, AfterValidator(_database)] | None = None
    """postgresql+psycopg://user@host/name or mysql+pymysql://...; default: SQLite in data."""
    storage: Secret | None = None
    """Where instances are kept, s3://bucket/prefix; default: data/archive."""
    unknown_sources: Annotated[
        str, _choice("refuse", "accept"), WithJsonSchema({"type": "string", "enum": ["refuse", "accept"]})
    ] = "refuse"
    """Whether a source that is not among `sources` may send: refuse or accept."""
    timezone: Annotated[str, AfterValidator(_timezone)] | None = None
    """The site's time zone, such as Asia/Seoul; default: the machine's."""
    tls: Tls | None = None
    """Encrypted DICOM: the appliance's certificate, whom it trusts, and a second port."""
    limits: Limits = Limits()
    """What peers may take, one and all together, so that none locks out the others."""


class ArchiveSettings(Part):
    """How the archive keeps what it gets."""

    when_same_uid_differs: Annotated[
        str, _choice("keep-first", "keep-last", "hold"), WithJsonSchema({"type": "string", "enum": ["keep-first"]})
    ] = "keep-first"
    """What happens to an instance whose UID is known but whose content differs: keep-first."""
    free_space: Size | None = None
    """C-STORE is refused (A700) when the disk has less than this left; default: 1GB, a twentieth of a small disk."""
    verify: Annotated[
        float | None,
        PlainValidator(_every),
        WithJsonSchema({"type": "string", "pattern": "^(never|every .+)$", "examples": ["every 30d"]}),
    ] = None
    """How often every file is read and compared with its digest, such as `every 30d`, or never."""
    original_attributes: Flag = True
    """Record what was changed in the Original Attributes Sequence (0400,0561) of the archived instance."""


class Settings(Part, RulesSettings):
    """The configuration of one site: its rules, and everything around them."""

    include: Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=str | list[str])] = Field(
        default_factory=list
    )
    """Further files of this configuration, relative to this one; `*` and `?` may stand in the file's name."""
    appliance: ApplianceSettings = ApplianceSettings()
    """What the appliance is called, where it listens and where it keeps things."""
    sources: dict[Name, Source] = Field(default_factory=dict)
    """Who may send."""
    destinations: dict[Name, Destination] = Field(default_factory=dict)
    """Who is sent to."""
    tables: dict[Name, FilePath] = Field(default_factory=dict)
    """CSV files for `lookup`, relative to the file that names them; the first column is the key."""
    archive: ArchiveSettings = ArchiveSettings()
    """How the archive keeps what it gets."""
