"""Errors that are shown to the user."""

from __future__ import annotations


class DevclusterError(Exception):
    """A failure. The message tells the user what is wrong, where, and what to do."""


class ComponentFailedError(DevclusterError):
    """A component exited, or did not become ready in time. The message ends with the tail of its log."""
