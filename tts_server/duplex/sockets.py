"""How many WebSockets are open."""

MAX_SOCKETS = 500
"""Half of what gunicorn accepts, so that probes and other requests always find room."""


class Sockets:
    """Counts the open WebSockets of a server. Only for the event loop: it is not thread-safe."""

    def __init__(self) -> None:
        self.open = 0

    def take(self) -> bool:
        """Count one more, and return True, unless there are too many."""
        if self.open >= MAX_SOCKETS:
            return False
        self.open += 1
        return True

    def release(self) -> None:
        """Count one less."""
        self.open -= 1
