"""The key that a backend asks for."""

from pathlib import Path

from tts_server.engines.protocol import BackendRefusedError

_MAX_KEY_BYTES = 8_192


def read_api_key(key: str, file: str, *, variable: str) -> str:
    """Return the key, or what is in the file if there is one, empty if none is needed.

    ``variable`` is the one that has the key; that of the file ends with ``_FILE``. Raises BackendRefusedError, without
    the key, if it cannot be used.
    """
    if file:
        try:
            with Path(file).open(encoding="ascii") as opened:
                key = opened.read(_MAX_KEY_BYTES).strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise BackendRefusedError(f"Cannot read {variable}_FILE {file}: {reason}.") from None
    if not all("!" <= char <= "~" for char in key):
        raise BackendRefusedError(f"The key in {variable} must be of ASCII characters without white space.")
    return key
