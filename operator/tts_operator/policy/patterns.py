"""Patterns of a policy: `*` matches any characters, the rest is literal, and the whole value must match."""

from collections.abc import Iterable


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern matches a value. Linear in the length of both, whatever a tenant writes."""
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
    """Whether one of the patterns matches a value."""
    return any(matches(pattern, value) for pattern in patterns)
