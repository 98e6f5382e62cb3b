"""Errors that end a command."""


class RefusedError(Exception):
    """Nothing was changed. The message tells the user why, and what to do instead."""


class UnreachableError(Exception):
    """kubectl is missing or has failed. The message contains its output."""


class ConflictError(UnreachableError):
    """The object has changed since it was read."""
