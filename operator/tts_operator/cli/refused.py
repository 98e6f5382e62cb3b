"""What a command says that does nothing, or that could not do it."""


class RefusedError(Exception):
    """Nothing was changed. The text is a sentence for the user, which says what to write instead."""


class UnreachableError(Exception):
    """kubectl is not there, or says no. The text holds its words."""


class ConflictError(UnreachableError):
    """The object has changed since it was read."""
