"""The settings of the engine ``triton``."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tts_server.settings.fields import setting

DEFAULT_PORT = 8001
AUTHORIZATION = "authorization"
_PLAIN, _SECURE = "grpc", "grpcs"
_HEADER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def parse_url(text: str) -> str:
    """Return the URL of a Triton, ``grpc://host:port`` or ``grpcs://host:port``. Raises ValueError."""
    try:
        url = urlsplit(text)
        port = url.port or DEFAULT_PORT
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if url.scheme not in (_PLAIN, _SECURE):
        raise ValueError(f"must be the gRPC address of a Triton, such as grpc://triton:8001, not {text!r}.")
    if not url.hostname or url.username is not None or url.path not in ("", "/") or url.query or url.fragment:
        # Without the value, which may contain a password.
        raise ValueError("must be grpc:// or grpcs://, a host and a port, such as grpc://triton:8001.")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}:{port}"


def parse_model(text: str) -> str:
    """Return the name of a model in a model repository. Raises ValueError."""
    if not _MODEL.fullmatch(text):
        raise ValueError(f"must be the name of a model, of letters, digits, '_', '-' and '.', not {text!r}.")
    return text


def parse_header(text: str) -> str:
    """Return the name of a header as gRPC wants it, in lower case. Raises ValueError."""
    name = text.lower()
    if not _HEADER.fullmatch(name) or name.startswith("grpc-") or name.endswith("-bin"):
        raise ValueError(f"must be the name of a header, such as x-api-key, not {text!r}.")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonSettings:
    """Which Triton makes the sound, and how. Each field is one ``TTS_TRITON_*`` variable."""

    url: str = setting(
        "TTS_TRITON_URL",
        "",
        "The gRPC address of the Triton Inference Server that makes the sound, such as grpc://triton:8001, or "
        "grpcs:// for an encrypted connection. Only for triton.",
        parse=parse_url,
    )
    ca_file: str = setting(
        "TTS_TRITON_CA_FILE",
        "",
        "A PEM file with the certificates that Triton's own must be signed by, for grpcs://. If empty, those of the "
        "system.",
    )
    api_key: str = setting(
        "TTS_TRITON_API_KEY",
        "",
        "The key that Triton, or a proxy in front of it, asks for. If empty, none.",
        secret=True,
    )
    api_key_file: str = setting("TTS_TRITON_API_KEY_FILE", "", "A file with that key, read again for each request.")
    api_key_header: str = setting(
        "TTS_TRITON_API_KEY_HEADER",
        AUTHORIZATION,
        "The header that carries the key, as `Bearer KEY` in authorization and as it is in any other. For Triton's "
        "`--grpc-restricted-protocol`, it is `triton-grpc-protocol-` and the name that you gave it there.",
        parse=parse_header,
    )
    front_end: str = setting(
        "TTS_TRITON_FRONT_END",
        "fastspeech2",
        "The engine whose networks Triton has. Its front end and its voices stay here. modelscope needs TTS_MODEL_DIR.",
        choices=("fastspeech2", "modelscope"),
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
    sambert_model: str = setting(
        "TTS_TRITON_SAMBERT_MODEL",
        "sambert",
        "With the front end modelscope, the model in Triton's repository that turns symbols into samples.",
        parse=parse_model,
    )
    request_seconds: float = setting(
        "TTS_TRITON_REQUEST_SECONDS",
        5.0,
        "How long Triton may take for one request: the mel spectrogram of a sentence, or up to 3.6 s of samples; with "
        "modelscope, a sentence.",
        low=0.1,
        high=300,
    )

    @property
    def address(self) -> str:
        """``host:port`` of the URL, empty without one."""
        return self.url.partition("://")[2]

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith(f"{_SECURE}://")
