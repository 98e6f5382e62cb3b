"""Which offset of a partition may be committed, while its messages are done in any order. Pure."""

import heapq


class Offsets:
    """The messages of one partition since it was assigned."""

    def __init__(self) -> None:
        self._open: list[int] = []
        """A heap, in which some are done already."""
        self._done: set[int] = set()
        self._next: int | None = None

    def begin(self, offset: int) -> None:
        """Note that a message was received."""
        heapq.heappush(self._open, offset)
        self._next = max(self._next or 0, offset + 1)

    def finish(self, offset: int) -> None:
        """Note that nothing is left to do for a message."""
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            self._done.discard(heapq.heappop(self._open))

    @property
    def committable(self) -> int | None:
        """Where a consumer should begin next time: everything before is done. None before the first message."""
        # In one step: the thread that polls asks while others finish messages.
        return next(iter(self._open), self._next)

    @property
    def waiting(self) -> int:
        """How many messages are received and not done."""
        return len(self._open) - len(self._done)
