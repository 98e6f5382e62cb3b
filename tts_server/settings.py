"""Configuration, by environment variables only."""

import base64
import binascii
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

LOG_LEVELS = ("debug", "info", "warning", "error")
PUBLIC_KEY_BYTES = 32
SIGNING_KEY_BYTES = 32
OPERATOR = "by the operator"
"""In the place of a field, where no field of a TTSService sets a variable, and the operator does."""


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names the variable and says what it may be."""


def _setting(
    env: str,
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    service: str = "",
) -> Any:
    meta = {"env": env, "text": text, "low": low, "high": high, "choices": choices, "service": service}
    return field(default=default, metadata=meta, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the server; each field is one ``TTS_*`` variable."""

    engine: str = _setting("TTS_ENGINE", "fastspeech2", "The speech engine.", service="model.engine")
    model_name: str = _setting(
        "TTS_MODEL_NAME",
        "",
        "The model's name in the API (empty: the engine's), and on the hub.",
        service="model.name",
    )
    model_revision: str = _setting(
        "TTS_MODEL_REVISION",
        "",
        "The revision that `tts-server fetch` loads; modelscope.",
        service="model.revision",
    )
    model_dir: str = _setting("TTS_MODEL_DIR", "", "The folder of the fetched model; modelscope.", service=OPERATOR)
    voices: tuple[str, ...] = _setting(
        "TTS_VOICES", (), "The model's voices to load; empty: all; modelscope.", service="model.voices"
    )
    default_voice: str = _setting(
        "TTS_DEFAULT_VOICE",
        "",
        "The voice of requests that name none; empty: the first one.",
        service="model.defaultVoice",
    )
    host: str = _setting("TTS_HOST", "0.0.0.0", "The address to listen on.")  # noqa: S104 - a pod serves all its network
    port: int = _setting("TTS_PORT", 7860, "The port to listen on.", low=1, high=65535)
    max_input_characters: int = _setting(
        "TTS_MAX_INPUT_CHARACTERS",
        500,
        "Longer texts are refused with 400.",
        low=1,
        high=100_000,
        service="server.maxInputCharacters",
    )
    threads: int = _setting(
        "TTS_THREADS",
        0,
        "Synthesis threads; 0: as many as the CPU limit.",
        low=0,
        high=256,
        service="resources.limits.cpu",
    )
    queue_seconds: float = _setting(
        "TTS_QUEUE_SECONDS",
        2.0,
        "Work waiting beyond this many seconds is refused with 503; four short phrases a thread never are.",
        low=0,
        high=3600,
    )
    request_timeout_seconds: float = _setting(
        "TTS_REQUEST_TIMEOUT_SECONDS", 30.0, "A request not done by then is given up with 503.", low=0.1, high=3600
    )
    cache_size_mib: int = _setting(
        "TTS_CACHE_SIZE_MIB",
        64,
        "Memory for sound already made; 0: none.",
        low=0,
        high=1 << 20,
        service="server.cache.sizeMiB",
    )
    redis_url: str = _setting(
        "TTS_REDIS_URL",
        "",
        "redis:// or rediss:// address of a cache that servers share; empty: none.",
        secret=True,
        service="server.cache.redis",
    )
    redis_keep_seconds: int = _setting(
        "TTS_REDIS_KEEP_SECONDS", 604_800, "How long Redis keeps a sound.", low=1, high=31_536_000
    )
    redis_prefix: str = _setting(
        "TTS_REDIS_PREFIX",
        "tts:",
        "With this the names of all entries in Redis begin.",
        service="server.cache.redis",
    )
    redis_signing_key: str = _setting(
        "TTS_REDIS_SIGNING_KEY",
        "",
        "At least 32 bytes in base64url, by which entries in Redis are signed; empty: they are not.",
        secret=True,
        service="server.cache.redis",
    )
    api_keys: tuple[str, ...] = _setting(
        "TTS_API_KEYS",
        (),
        "Keys that may speak, separated by commas or spaces; empty: everybody may.",
        secret=True,
        service="server.auth",
    )
    probe_public_key: str = _setting(
        "TTS_PROBE_PUBLIC_KEY",
        "",
        "The operator's Ed25519 key, 32 bytes in base64url: its tokens for this pod may speak too.",
        service="server.auth",
    )
    pod_uid: str = _setting(
        "TTS_POD_UID", "", "The uid of this pod, for which those tokens are made.", service="server.auth"
    )
    probe_key: str = _setting("TTS_PROBE_KEY", "", "One more key; older operators made pods speak by it.", secret=True)
    cors_origins: tuple[str, ...] = _setting(
        "TTS_CORS_ORIGINS", (), "Web origins whose pages may call the API, or *; empty: none."
    )
    drain_seconds: float = _setting(
        "TTS_DRAIN_SECONDS",
        5.0,
        "How long `tts-server drain` waits for traffic to go elsewhere.",
        low=0,
        high=600,
        service=OPERATOR,
    )
    log_level: str = _setting(
        "TTS_LOG_LEVEL", "info", "The least level that is logged.", choices=LOG_LEVELS, service="server.logLevel"
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables; unset and empty ones keep their default. Raises :class:`SettingsError`."""
        values: dict[str, Any] = {}
        for each in fields(cls):
            given = environ.get(each.metadata["env"], "").strip()
            if given:
                values[each.name] = _parse(given, type(each.default), **each.metadata)
        made = cls(**values)
        if made.redis_url and not made.redis_url.startswith(("redis://", "rediss://")):
            # Without the value: it may hold a password.
            raise SettingsError("TTS_REDIS_URL must begin with redis:// or rediss://.")
        if made.probe_public_key and len(_bytes("TTS_PROBE_PUBLIC_KEY", made.probe_public_key)) != PUBLIC_KEY_BYTES:
            raise SettingsError(f"TTS_PROBE_PUBLIC_KEY must be {PUBLIC_KEY_BYTES} bytes in base64url.")
        if made.probe_public_key and not made.pod_uid:
            raise SettingsError("TTS_PROBE_PUBLIC_KEY needs TTS_POD_UID, the uid of the pod (metadata.uid).")
        if made.redis_signing_key and len(_bytes("TTS_REDIS_SIGNING_KEY", made.redis_signing_key)) < SIGNING_KEY_BYTES:
            raise SettingsError(f"TTS_REDIS_SIGNING_KEY must be at least {SIGNING_KEY_BYTES} bytes in base64url.")
        return made


def decoded(text: str) -> bytes:
    """Return the bytes that base64url, with or without padding, says. Raises ValueError for anything else."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _bytes(env: str, text: str) -> bytes:
    try:
        return decoded(text)
    except (ValueError, binascii.Error):
        # Without the value: it may be secret.
        raise SettingsError(f"{env} is no base64url (letters, digits, '-' and '_').") from None


def settings_table() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting: the source of the documentation's table."""
    return [
        (each.metadata["env"], "" if each.default == () else str(each.default), each.metadata["text"])
        for each in fields(Settings)
    ]


def settings_markdown() -> str:
    """Return the table of docs/server.md."""
    rows = ["| Variable | Default | Range | Meaning | In a TTSService |", "|---|---|---|---|---|"]
    for each, (env, default, text) in zip(fields(Settings), settings_table(), strict=True):
        meta = each.metadata
        span = ", ".join(meta["choices"]) or (f"{meta['low']:,} to {meta['high']:,}" if meta["high"] else "")
        code = [f"`{word}`" if word and word != OPERATOR else word for word in (default, meta["service"])]
        rows.append(f"| `{env}` | {code[0]} | {span} | {text} | {code[1]} |".replace("|  |", "| |"))
    return "\n".join(rows).replace("|  |", "| |") + "\n"


def _parse(
    given: str, kind: type, *, env: str, low: float | None, high: float | None, choices: tuple[str, ...], **_: Any
) -> Any:
    if kind is tuple:
        return tuple(given.replace(",", " ").split())
    if kind is str:
        value = given.lower() if choices else given
        if choices and value not in choices:
            raise SettingsError(f"{env} must be one of {', '.join(choices)}, not {given!r}.")
        return value
    noun = "a whole number" if kind is int else "a number"
    try:
        number = kind(given)
    except ValueError:
        raise SettingsError(f"{env} must be {noun} from {low:g} to {high:g}, not {given!r}.") from None
    # Not a chain of two comparisons turned round: NaN must fail as well.
    if not (low is not None and high is not None and low <= number <= high):
        raise SettingsError(f"{env} must be {noun} from {low:g} to {high:g}, not {given!r}.")
    return number


def _write_documentation(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition("<!-- settings -->\n")
    _, mark, tail = rest.partition("<!-- end of settings")
    path.write_text(f"{head}<!-- settings -->\n{settings_markdown()}{mark}{tail}", encoding="utf-8")


if __name__ == "__main__":
    _write_documentation(Path(sys.argv[1]))
