"""The settings of the engine ``triton``."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tts_server.settings.fields import setting

DEFAULT_PORT = 8001
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def parse_address(text: str) -> str:
    """Return ``host:port`` of a ``grpc://`` URL. Raises ValueError."""
    try:
        url = urlsplit(text)
        port = url.port or DEFAULT_PORT
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if url.scheme != "grpc":
        raise ValueError(f"must be the gRPC address of a Triton, such as grpc://triton:8001, not {text!r}.")
    if not url.hostname or url.username is not None or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(f"must be grpc://, a host and a port, such as grpc://triton:8001, not {text!r}.")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{host}:{port}"


def parse_model(text: str) -> str:
    """Return the name of a model in a model repository. Raises ValueError."""
    if not _MODEL.fullmatch(text):
        raise ValueError(f"must be the name of a model, of letters, digits, '_', '-' and '.', not {text!r}.")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonSettings:
    """Which Triton makes the sound, and how. Each field is one ``TTS_TRITON_*`` variable."""

    address: str = setting(
        "TTS_TRITON_URL",
        "",
        "The gRPC address of the Triton Inference Server that makes the sound, such as grpc://triton:8001. Only for "
        "triton.",
        parse=parse_address,
    )
    acoustic_model: str = setting(
        "TTS_TRITON_ACOUSTIC_MODEL",
        "acoustic",
        "The model in Triton's repository that turns phonemes into a mel spectrogram.",
        parse=parse_model,
    )
    vocoder_model: str = setting(
        "TTS_TRITON_VOCODER_MODEL",
        "vocoder",
        "The model in Triton's repository that turns windows of a mel spectrogram into samples.",
        parse=parse_model,
    )
    request_seconds: float = setting(
        "TTS_TRITON_REQUEST_SECONDS",
        5.0,
        "How long Triton may take for one request: the mel spectrogram of a sentence, or 1.8 s of samples.",
        low=0.1,
        high=300,
    )
