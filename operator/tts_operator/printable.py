"""Words of others, made fit to be shown: on one line, of bounded length, without anything that steers a terminal."""

import unicodedata

_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: controls (ANSI escapes begin with one), marks that turn the direction of text or hide in it,
halves of surrogate pairs, characters that have no meaning, and separators of lines."""


def one_line(text: object, most: int, *, end: bool = False) -> str:
    """At most `most` characters, without controls, each run of white space as one space; `end`: the last ones.

    What is too long is cut before it is looked at, so that this takes time for `most` characters only.
    """
    given = text if isinstance(text, str) else str(text)
    long = 4 * most
    given = given[-long:] if end else given[:long]
    shown = " ".join("".join(" " if unicodedata.category(each) in _UNSHOWN else each for each in given).split())
    if len(shown) <= most:
        return shown
    return "..." + shown[-most:] if end else shown[: most - 1] + "…"
