"""How a Triton is reached: its address, the certificates that sign its own, and the headers of a request."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tts_server.engines.backend.api_key import read_api_key
from tts_server.engines.protocol import EngineError
from tts_server.settings.triton import AUTHORIZATION, TritonSettings


@dataclass(frozen=True, slots=True)
class Access:
    """What every connection to one Triton is made with."""

    address: str
    """``host:port``"""
    headers: Callable[[], dict[str, str]] = dict
    """Returns those of a request. Raises BackendRefusedError."""
    tls: bool = False
    roots: bytes | None = None
    """In PEM. None for those that gRPC brings along."""


def access(settings: TritonSettings) -> Access:
    """Return the access that the settings describe. Raises EngineError."""
    if settings.ca_file and not settings.secure:
        raise EngineError("TTS_TRITON_CA_FILE needs an encrypted connection: begin TTS_TRITON_URL with grpcs://.")
    roots = _roots(settings.ca_file) if settings.secure else None
    return Access(settings.address, partial(_headers, settings), settings.secure, roots)


def _headers(settings: TritonSettings) -> dict[str, str]:
    key = read_api_key(settings.api_key, settings.api_key_file, variable="TTS_TRITON_API_KEY")
    if not key:
        return {}
    name = settings.api_key_header
    return {name: f"Bearer {key}" if name == AUTHORIZATION else key}


def _roots(ca_file: str) -> bytes | None:
    """Return the certificates of the file, or else the system's, which ``SSL_CERT_FILE`` names, as for an upstream."""
    if not ca_file:
        system = ssl.get_default_verify_paths().cafile
        return Path(system).read_bytes() if system else None
    try:
        text = Path(ca_file).read_text(encoding="ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata=text
        )  # gRPC itself only says that no connection succeeds
    except (OSError, UnicodeDecodeError, ssl.SSLError, ValueError):
        raise EngineError(f"TTS_TRITON_CA_FILE names {ca_file!r}, which is no PEM file with certificates.") from None
    return text.encode("ascii")
