"""What the user is told when something cannot be done."""

from __future__ import annotations


class DevclusterError(Exception):
    """A failure with a message for a person: what is wrong, where, and what to do."""


class ComponentFailedError(DevclusterError):
    """A component died, or did not become ready in time; the message ends with the end of its log."""
