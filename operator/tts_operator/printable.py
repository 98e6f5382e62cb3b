"""Make untrusted text safe to print: on one line, of bounded length, without terminal control sequences."""

import unicodedata

_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are replaced: controls (which start ANSI escapes), invisible and bidirectional formatting,
surrogates, private and unassigned characters, and line separators."""


def one_line(text: object, most: int, *, end: bool = False) -> str:
    """Return the first `most` characters (with `end`, the last) without controls, and with white space collapsed.

    Cuts overlong text first, so that its length does not matter.
    """
    given = text if isinstance(text, str) else str(text)
    long = 4 * most
    given = given[-long:] if end else given[:long]
    shown = " ".join("".join(" " if unicodedata.category(each) in _UNSHOWN else each for each in given).split())
    if len(shown) <= most:
        return shown
    return "..." + shown[-most:] if end else shown[: most - 1] + "…"


def without_controls(text: str) -> str:
    """Return a text whose lines cannot control a terminal."""
    return "".join(each if each == "\n" or unicodedata.category(each) not in _UNSHOWN else " " for each in text)
