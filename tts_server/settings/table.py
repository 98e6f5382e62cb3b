"""The table of all settings, for ``--help`` and the documentation."""

from tts_server.settings.fields import OPERATOR, all_settings
from tts_server.settings.server import Settings


def settings_table() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting."""
    return [
        (each.metadata["env"], "" if each.default == () else str(each.default), each.metadata["text"])
        for each in all_settings(Settings)
    ]


def settings_markdown() -> str:
    """Return the table for docs/server.md."""
    rows = ["| Variable | Default | Range | Meaning | In a TTSService |", "|---|---|---|---|---|"]
    for each, (env, default, text) in zip(all_settings(Settings), settings_table(), strict=True):
        meta = each.metadata
        span = ", ".join(meta["choices"]) or (f"{meta['low']:,} to {meta['high']:,}" if meta["high"] else "")
        code = [f"`{word}`" if word and word != OPERATOR else word for word in (default, meta["service"])]
        rows.append(f"| `{env}` | {code[0]} | {span} | {text} | {code[1]} |".replace("|  |", "| |"))
    return "\n".join(rows).replace("|  |", "| |") + "\n"
