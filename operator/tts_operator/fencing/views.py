"""The replicas' views of the nodes, and what follows from comparing them. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 2
"""A replica counts as alive until it has left this many consecutive queries unanswered."""


class Sight(StrEnum):
    """The state of a node as one replica sees it."""

    REACHABLE = "Reachable"
    UNREACHABLE = "Unreachable"
    UNKNOWN = "Unknown"
    """It has never answered this replica. A firewall may be in between, so its silence means nothing."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What one replica reports about itself, and about the nodes in a query."""

    leading: bool
    """Whether it holds the lease."""
    cut_off: bool
    """Whether it cannot reach most of the nodes, so that it is probably cut off itself."""
    nodes: Mapping[str, Sight]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another replica of the operator."""

    node: str
    view: View | None
    """None: no response."""
    unanswered: int = 0
    """Number of consecutive unanswered queries."""


class Nodes:
    """This replica's view of the nodes, updated by each round of probes."""

    def __init__(self) -> None:
        self._answered: dict[str, bool] = {}
        """Whether a node has ever answered."""
        self._silent_since: dict[str, float] = {}
        self._returned: dict[str, int] = {}

    def look(self, answered: Collection[str], silent: Collection[str], *, begun: float) -> None:
        """Add a round that started at the monotonic time `begun`. On `silent` nodes, no target answered, twice."""
        for node in answered:
            self._answered[node] = True
            if self._silent_since.pop(node, None) is not None:
                self._returned[node] = 0
            elif node in self._returned:
                self._returned[node] += 1
        for node in silent:
            self._answered.setdefault(node, False)
            self._returned.pop(node, None)
            if self._answered[node]:
                self._silent_since.setdefault(node, begun)
        present = {*answered, *silent}
        for known in (self._answered, self._silent_since, self._returned):
            for node in known.keys() - present:
                del known[node]  # it has no pods of TTSServices any more

    @property
    def unreachable(self) -> dict[str, float]:
        """Nodes that answered before and do not now, with the monotonic time of the first missed probe."""
        return dict(self._silent_since)

    @property
    def reachable(self) -> set[str]:
        """Nodes that answer. A node that was silent counts from its second answer on."""
        return {node for node, ever in self._answered.items() if ever and self._is_steady(node)}

    @property
    def cut_off(self) -> bool:
        """Whether most nodes do not answer, so that this replica is probably cut off itself."""
        known = [node for node, ever in self._answered.items() if ever]
        return 2 * sum(node not in self._silent_since for node in known) <= len(known)

    def view(self, nodes: Iterable[str], *, leading: bool) -> View:
        """The view of some nodes, for another replica."""
        return View(leading=leading, cut_off=self.cut_off, nodes={node: self.sight(node) for node in nodes})

    def sight(self, node: str) -> Sight:
        """The state of a node."""
        if node in self._silent_since:
            return Sight.UNREACHABLE
        return Sight.REACHABLE if self._answered.get(node) else Sight.UNKNOWN

    def count(self) -> dict[Sight, int]:
        """The number of nodes in each state."""
        sights = [self.sight(node) for node in self._answered]
        return {sight: sights.count(sight) for sight in Sight}

    def _is_steady(self, node: str) -> bool:
        return node not in self._silent_since and self._returned.get(node, 1) >= 1


def alive(own: Nodes, peers: Iterable[Peer]) -> list[Peer]:
    """The other replicas that count as alive: not on a lost node, and not silent themselves."""
    lost = own.unreachable
    return [peer for peer in peers if peer.node not in lost and (peer.view is not None or peer.unanswered < PATIENCE)]


def is_to_act(own: Nodes, peers: Iterable[Peer], *, leading: bool) -> bool:
    """Whether this replica should act. Only one does: the leader, if possible.

    A leader in the lost zone keeps the lease for seconds, so that a standby must act without it. A standby that gets no
    response from a replica cannot tell whether that is the leader, and leaves it to the leader.
    """
    if own.cut_off:
        return False
    if leading:
        return True
    others = list(peers)
    views = [peer.view for peer in alive(own, others)]
    return bool(others) and not any(view is None or (view.leading and not view.cut_off) for view in views)


def agreed(own: Nodes, peers: Iterable[Peer]) -> dict[str, float]:
    """The nodes that every live replica considers unreachable, with the time of the first missed probe here."""
    found = own.unreachable
    if own.cut_off:
        return {}
    for peer in alive(own, peers):
        if peer.view is None:
            return {}  # it may see more than this replica; give it another moment to respond
        if not peer.view.cut_off:
            seen = peer.view.nodes
            found = {
                node: since for node, since in found.items() if seen.get(node, Sight.REACHABLE) is not Sight.REACHABLE
            }
    return found
