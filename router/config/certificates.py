"""What `appliance.tls` needs: settings that fit each other and files that are fit for use. Makes no connection."""

from pathlib import Path

from router.certificates import CertificateError, TlsFiles, examine
from router.config.files import absolute
from router.config.nodes import DicomDestination
from router.config.settings import Settings
from rules import Document, Problem

Findings = tuple[list[Problem], list[Problem]]  # what makes the configuration unusable, what is only odd


def tls_files(settings: Settings, folder: Path) -> TlsFiles | None:
    """The files by their whole paths, relative ones taken from `folder`; None without `appliance.tls`."""
    tls = settings.appliance.tls
    if tls is None:
        return None
    authorities = absolute(folder, tls.authorities) if tls.authorities is not None else None
    return TlsFiles(absolute(folder, tls.certificate), absolute(folder, tls.key), authorities)


def tls_destinations(settings: Settings) -> list[str]:
    """The names of the destinations that are sent to over TLS."""
    return [name for name, each in settings.destinations.items() if isinstance(each, DicomDestination) and each.tls]


def tls_findings(settings: Settings, document: Document) -> Findings:
    """What the settings for TLS say of each other."""
    appliance, destinations = settings.appliance, tls_destinations(settings)
    tls = appliance.tls
    problems = []
    missing = "there is no appliance.tls, whose certificate, key and authorities this needs" if tls is None else None
    if tls is not None and tls.authorities is None:
        missing = "appliance.tls names no authorities, so this destination could not prove who it is"
    if missing:
        places = [document.position(("destinations", name, "tls")) for name in destinations]
        problems += [Problem.at(place, missing) for place in places]
    if tls is None:
        return problems, []
    if tls.listen is not None and tls.listen.port == appliance.listen.port:
        place = document.position(("appliance", "tls", "listen"))
        problems.append(Problem.at(place, "this is the port of appliance.listen; TLS needs its own, such as 2762"))
    if tls.listen is None and not destinations:
        place = document.position(("appliance", "tls"), of_key=True)
        text = "appliance.tls has no effect: it has no 'listen', and no destination says 'tls: yes'"
        return problems, [Problem.at(place, text)]
    return problems, []


def certificate_findings(settings: Settings, document: Document, folder: Path) -> Findings:
    """What makes the files unfit for TLS now, and what will be trouble; each is told where the file is named."""
    files = tls_files(settings, folder)
    if files is None:
        return [], []

    def told(part: str, text: str) -> Problem:
        return Problem.at(document.position(("appliance", "tls", part)), text)

    try:
        examination = examine(files, is_client=bool(tls_destinations(settings)))
    except CertificateError as error:
        return [told(error.part, str(error))], []
    return [], [told(part, text) for part, text in examination.warnings]
