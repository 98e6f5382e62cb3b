"""Patterns of a policy: `*` stands for any run of characters, all else is literal, and the whole value must match."""

from collections.abc import Iterable


def matches(pattern: str, value: str) -> bool:
    """Whether a value is what a pattern allows. Takes time in proportion to both, whatever a tenant writes."""
    first, *rest = pattern.split("*")
    if not rest:
        return value == pattern
    *middle, last = rest
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def any_matches(patterns: Iterable[str], value: str) -> bool:
    """Whether one of the patterns allows a value."""
    return any(matches(pattern, value) for pattern in patterns)
