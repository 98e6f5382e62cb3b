"""The lexicon of the service: a YAML file with one mapping of words to readings or replacements."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tts_server.lexicon.entries import NO_ENTRIES, Lexicon, LexiconError, read_lexicon

MAX_FILE_ENTRIES = 10_000
MAX_FILE_BYTES = 1 << 20
"""The most that a ConfigMap holds."""
_ORIGIN = "service_lexicon"
_Identity = tuple[int, int, int, int]


class LexiconFile:
    """A file that may be replaced at any time, as the kubelet does with a symbolic link when a ConfigMap changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: _Identity | None = None

    def changed(self) -> bool:
        """Tell whether the file is another one than that of the last :meth:`read`. No file at all is one too."""
        return self._identity() != self._read

    def read(self, syllables: Collection[str]) -> Lexicon:
        """Read the file. Without a file there are no entries. Raises LexiconError, and OSError.

        ``syllables`` are those that the engine lets a text pin.
        """
        self._read = self._identity()
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return NO_ENTRIES
        if len(data) > MAX_FILE_BYTES:
            raise LexiconError(f"The file is larger than {MAX_FILE_BYTES} bytes.")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise LexiconError(f"The file is not valid UTF-8, from byte {error.start} on.") from None
        return read_lexicon(parse(text), origin=_ORIGIN, syllables=syllables, max_entries=MAX_FILE_ENTRIES)

    def _identity(self) -> _Identity | None:
        """Return what differs between any two files at the path, or None without a file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def parse(text: str) -> dict[str, str]:
    """Return the mapping that a YAML document holds, with all words and values as they are written.

    Only the events of the parser are used, so no object is made of a tag, no alias multiplies what it names, and ``no``
    and ``007`` stay as they are. Raises LexiconError with the line.
    """
    from yaml import YAMLError  # noqa: PLC0415 - only where a service has a lexicon

    try:
        return _mapping(_events(text))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # What is missing at the end is missed on the line after it.
        where = f"Line {min(mark.line, text.rstrip().count(chr(10))) + 1}: " if mark else ""
        raise LexiconError(f"{where}{getattr(error, 'problem', None) or error}. The file must be YAML.") from None


def _events(text: str) -> Iterator[Any]:
    import yaml  # noqa: PLC0415 - see above

    wrappers = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return (event for event in yaml.parse(text, Loader=loader) if not isinstance(event, wrappers))


def _mapping(events: Iterator[Any]) -> dict[str, str]:
    import yaml  # noqa: PLC0415 - see above

    first = next(events, None)
    if first is None or (isinstance(first, yaml.ScalarEvent) and not first.value):
        return {}  # nothing but comments
    if not isinstance(first, yaml.MappingStartEvent):
        raise _misplaced(first)
    entries: dict[str, str] = {}
    while not isinstance(word := next(events), yaml.MappingEndEvent):
        written = next(events)
        for event in (word, written):
            if not isinstance(event, yaml.ScalarEvent):
                raise _misplaced(event)
        if word.value in entries:
            raise LexiconError(
                f"Line {word.start_mark.line + 1}: {word.value!r} is there twice. Remove one of the two."
            )
        entries[word.value] = written.value
    for extra in events:
        raise _misplaced(extra)
    return entries


def _misplaced(event: Any) -> LexiconError:
    line = event.start_mark.line + 1
    return LexiconError(
        f"Line {line}: the file must hold one word and its reading per line, such as 行长: hang2 zhang3."
    )
