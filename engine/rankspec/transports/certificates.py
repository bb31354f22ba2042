"""The certificates that the async transport trusts besides those in the system's own folders."""

from __future__ import annotations

import re
import ssl
import sys
from pathlib import Path

import certifi

from rankspec.errors import ConnectFailed

_CERTIFICATE = re.compile(
    r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----.+?-----END (?:TRUSTED )?CERTIFICATE-----", re.DOTALL
)


def trusted_certificates(place: str | None) -> list[str]:
    """PEM texts: Mozilla's authorities, those of Windows, and those in a file or folder that the environment names.

    Raises:
        ConnectFailed: the file or folder holds none.
        OSError: it cannot be read.
    """
    found = [*_read(Path(certifi.where())), *_of_windows()]
    if place is None:
        return found
    named = _read(Path(place))
    if not named:
        raise ConnectFailed(f"there is no certificate in {place}; name a file that holds some, or unset the variable")
    return found + named


def _read(place: Path) -> list[str]:
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    texts = [file.read_text("latin-1") for file in files if file.is_file()]
    return [certificate for text in texts for certificate in _CERTIFICATE.findall(text)]


def _of_windows() -> list[str]:
    if sys.platform != "win32":
        return []
    stored = [*ssl.enum_certificates("ROOT"), *ssl.enum_certificates("CA")]
    return [ssl.DER_cert_to_PEM_cert(data) for data, encoding, _ in stored if encoding == "x509_asn"]
