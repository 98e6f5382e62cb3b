"""What the replicas of the operator see of the nodes, and what follows when they compare. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 2
"""So many questions in a row may a replica leave unanswered; then it does not count as alive."""


class Sight(StrEnum):
    """What one replica sees of one node."""

    REACHABLE = "Reachable"
    UNREACHABLE = "Unreachable"
    UNKNOWN = "Unknown"
    """It has never answered this replica: a firewall may be in between, so its silence means nothing."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What one replica says of itself and of the nodes that it was asked about."""

    leading: bool
    """Whether it holds the lease."""
    cut_off: bool
    """Whether it cannot reach most of the nodes. Then it is rather itself that cannot be reached."""
    nodes: Mapping[str, Sight]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another replica of the operator."""

    node: str
    view: View | None
    """None: it has not answered."""
    unanswered: int = 0
    """How many questions in a row it has not answered."""


class Nodes:
    """What this replica sees of the nodes, from one round of probes to the next."""

    def __init__(self) -> None:
        self._answered: dict[str, bool] = {}
        """Whether a node has ever answered."""
        self._silent_since: dict[str, float] = {}
        self._returned: dict[str, int] = {}

    def look(self, answered: Collection[str], silent: Collection[str], *, begun: float) -> None:
        """Take one round in. `silent` are those of which no target answered, twice. `begun`: its monotonic time."""
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
                del known[node]  # none of our pods is there any more

    @property
    def unreachable(self) -> dict[str, float]:
        """Nodes that have answered once and do not now, with the monotonic time of the first silence."""
        return dict(self._silent_since)

    @property
    def reachable(self) -> set[str]:
        """Nodes that answer; of one that did not a while ago, from its second answer on."""
        return {node for node, ever in self._answered.items() if ever and self._is_steady(node)}

    @property
    def cut_off(self) -> bool:
        """Whether most nodes do not answer, so that it is rather this replica that is cut off."""
        known = [node for node, ever in self._answered.items() if ever]
        return 2 * sum(node not in self._silent_since for node in known) <= len(known)

    def view(self, nodes: Iterable[str], *, leading: bool) -> View:
        """What to tell another replica about some nodes."""
        return View(leading=leading, cut_off=self.cut_off, nodes={node: self.sight(node) for node in nodes})

    def sight(self, node: str) -> Sight:
        """What is seen of one node."""
        if node in self._silent_since:
            return Sight.UNREACHABLE
        return Sight.REACHABLE if self._answered.get(node) else Sight.UNKNOWN

    def count(self) -> dict[Sight, int]:
        """How many nodes there are of each kind."""
        sights = [self.sight(node) for node in self._answered]
        return {sight: sights.count(sight) for sight in Sight}

    def _is_steady(self, node: str) -> bool:
        return node not in self._silent_since and self._returned.get(node, 1) >= 1


def alive(own: Nodes, peers: Iterable[Peer]) -> list[Peer]:
    """The other replicas that still count: not those on a node that is lost, nor those that have fallen silent."""
    lost = own.unreachable
    return [peer for peer in peers if peer.node not in lost and (peer.view is not None or peer.unanswered < PATIENCE)]


def is_to_act(own: Nodes, peers: Iterable[Peer], *, leading: bool) -> bool:
    """Whether it is for this replica to act: one only does, the holder of the lease where it can.

    A holder in the zone that is lost keeps the lease for seconds; then the other acts without it. Who does not know the
    holder cannot tell, and leaves it to the holder.
    """
    if own.cut_off:
        return False
    if leading:
        return True
    others = list(peers)
    views = [peer.view for peer in alive(own, others)]
    return bool(others) and not any(view is None or (view.leading and not view.cut_off) for view in views)


def agreed(own: Nodes, peers: Iterable[Peer]) -> dict[str, float]:
    """The nodes that every replica that is alive sees as unreachable, with the time of the first silence here."""
    found = own.unreachable
    if own.cut_off:
        return {}
    for peer in alive(own, peers):
        if peer.view is None:
            return {}  # it may see more than we do; it has another moment to say so
        if not peer.view.cut_off:
            seen = peer.view.nodes
            found = {
                node: since for node, since in found.items() if seen.get(node, Sight.REACHABLE) is not Sight.REACHABLE
            }
    return found
