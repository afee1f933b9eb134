"""Certificates for tests, made by the openssl command: authorities, and what they sign."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
LOCAL = "IP:127.0.0.1,DNS:localhost"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


class Authority:
    """An authority of its own in `folder`; `certificate` is what those who trust it need."""

    def __init__(self, folder: Path, name: str = "Hospital CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        extensions = ["-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign"]
        _openssl(
            "req",
            "-x509",
            *_new_key(self._key),
            "-subj",
            f"/CN={name}",
            "-days",
            "3",
            *extensions,
            "-out",
            self.certificate,
        )

    def issue(
        self, name: str, *, hosts: str = LOCAL, days: int = 365, usage: str = "serverAuth,clientAuth", bits: int = 2048
    ) -> Pair:
        """A certificate for `hosts` (subject alternative names); negative `days` make one that has expired."""
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        _openssl("req", *_new_key(pair.key, bits), "-subj", f"/CN={name}", "-out", request)
        extensions.write_text(f"subjectAltName={hosts}\nextendedKeyUsage={usage}\n")
        signing = ["-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", str(days)]
        _openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", pair.certificate)
        return pair


def self_signed(folder: Path, name: str) -> Pair:
    """A certificate that nobody else vouches for."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    names = ["-addext", f"subjectAltName={LOCAL}"]
    _openssl(
        "req", "-x509", *_new_key(pair.key), "-subj", f"/CN={name}", *names, "-days", "30", "-out", pair.certificate
    )
    return pair


def _new_key(key: Path, bits: int = 2048) -> list[str | Path]:
    return ["-newkey", f"rsa:{bits}", "-nodes", "-keyout", key]


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
