"""The configuration: what a site wrote in its file, checked and in force."""

from router.config.certificates import tls_destinations
from router.config.configuration import Configuration, ConfigurationError, revision_of
from router.config.fields import Address
from router.config.loading import load, load_texts
from router.config.looking import configuration_in_force
from router.config.nodes import (
    IMPORT,
    Destination,
    DicomDestination,
    DicomSource,
    DicomWebDestination,
    FolderDestination,
    FolderSource,
    Retry,
    Source,
)
from router.config.places import place_of
from router.config.reloading import Snapshot, SnapshotError
from router.config.schema import json_schema
from router.config.secrets import Secret
from router.config.settings import ApplianceSettings, ArchiveSettings, Limits, Settings
from router.config.sitesecret import SecretLostError, is_secret_lost, make_site_secret
from router.config.unsent import never_sent

__all__ = [
    "IMPORT",
    "Address",
    "ApplianceSettings",
    "ArchiveSettings",
    "Configuration",
    "ConfigurationError",
    "Destination",
    "DicomDestination",
    "DicomSource",
    "DicomWebDestination",
    "FolderDestination",
    "FolderSource",
    "Limits",
    "Retry",
    "Secret",
    "SecretLostError",
    "Settings",
    "Snapshot",
    "SnapshotError",
    "Source",
    "configuration_in_force",
    "is_secret_lost",
    "json_schema",
    "load",
    "load_texts",
    "make_site_secret",
    "never_sent",
    "place_of",
    "revision_of",
    "tls_destinations",
]
