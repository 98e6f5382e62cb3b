"""pypinyin's tables in a form that loads in a fifth of the time and memory: a text file, made once.

``tts-server prepare`` writes it beside pypinyin's tables when an image is built. Elsewhere, the first use writes it to
a cache folder.
"""

import contextlib
import os
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_FORMAT = 1
_PARTS = 4
_TONES = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
_NEUTRAL = "5"


@dataclass(frozen=True, slots=True)
class Tables:
    """The most frequent syllable of each character (``hang2``), and the syllables of each phrase (``yin2 hang2``)."""

    characters: Mapping[str, str]
    phrases: Mapping[str, str]


def load() -> Tables:
    """Return the tables: from the prepared file, else from the cache, else from pypinyin, and then cache them."""
    name = f"readings-{_FORMAT}-pypinyin-{version('pypinyin')}.txt"
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tts-server", name)
    for path in (_folder() / name, cached):
        try:
            return parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    tables = build()
    with contextlib.suppress(OSError):  # nowhere to write: the next start takes as long
        _write(cached, tables)
    return tables


def prepare() -> Path:
    """Write the tables beside pypinyin's, where every later start finds them. Return the file."""
    path = _folder() / f"readings-{_FORMAT}-pypinyin-{version('pypinyin')}.txt"
    _write(path, build())
    return path


def build() -> Tables:
    """Make the tables from pypinyin's. Its package is not imported: that would build a segmenter that nothing uses."""
    characters: Mapping[int, str] = _table("pinyin_dict")
    phrases: Mapping[str, list[list[str]]] = _table("phrases_dict")
    return Tables(
        {chr(code): _numbered(readings.partition(",")[0]) for code, readings in characters.items()},
        {phrase: " ".join(_numbered(each[0]) for each in syllables) for phrase, syllables in phrases.items()},
    )


def parse(text: str) -> Tables:
    """Read the text of a file. Raises ValueError if it is not complete."""
    parts = text.split("\n\n")
    if len(parts) != _PARTS + 1:
        raise ValueError("The tables of readings are not complete.")
    characters, syllables, phrases, readings = (part.split("\n") for part in parts[:_PARTS])
    return Tables(dict(zip(characters, syllables, strict=True)), dict(zip(phrases, readings, strict=True)))


def text_of(tables: Tables) -> str:
    """Return the text of a file, which ends with an empty line."""
    columns: tuple[Iterable[str], ...] = (
        tables.characters,
        tables.characters.values(),
        tables.phrases,
        tables.phrases.values(),
    )
    return "".join("\n".join(column) + "\n\n" for column in columns)


def _write(path: Path, tables: Tables) -> None:
    """Write the file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text_of(tables))
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _folder() -> Path:
    package = find_spec("pypinyin")
    if package is None or not package.submodule_search_locations:
        raise ImportError("pypinyin is missing: install requirements/server.lock", name="pypinyin")
    return Path(package.submodule_search_locations[0])


def _table(name: str) -> Any:
    loaded = sys.modules.get(f"pypinyin.{name}")
    if loaded is None:
        spec = spec_from_file_location(name, _folder() / f"{name}.py")
        if spec is None or spec.loader is None:  # pragma: no cover - there is a loader for every Python file
            raise ImportError(f"Cannot load pypinyin's {name}.", name=name)
        loaded = module_from_spec(spec)
        spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def _numbered(syllable: str) -> str:
    """Turn ``lǜ`` into ``lv4``."""
    tone = _NEUTRAL
    letters = ""
    for char in unicodedata.normalize("NFD", syllable):
        if char in _TONES:
            tone = _TONES[char]
        else:
            letters += char
    return unicodedata.normalize("NFC", letters).replace("ü", "v") + tone
