"""Probe the nodes, compare with the other replicas, and fence or restore pods."""

import asyncio
import datetime
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from itertools import zip_longest
from types import TracebackType
from typing import Self

import aiohttp

from tts_operator.desired.identity import NODE_UNREACHABLE
from tts_operator.desired.pod.template import PORT
from tts_operator.fencing.choose import (
    FencingContext,
    contesting,
    is_backend,
    is_fenced,
    is_ready,
    node_of,
    to_fence,
    to_restore,
)
from tts_operator.fencing.peers import Peers
from tts_operator.fencing.probe import Target, probe
from tts_operator.fencing.views import Nodes, Peer, Sight, View, agreed, is_to_act
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import PODS
from tts_operator.objects import Pod
from tts_operator.runtime import version_of

ROUND_SECONDS = 1.0
"""Interval of the probes of each node."""
ANSWER_SECONDS = 0.6
"""Time limit of a probe. If it fails, all known targets on the node are tried at once, for as long again."""
COMPARE_SECONDS = 0.25
"""Interval of queries to the other replicas while a node does not respond."""
WRITE_SECONDS = 1.5
"""Time limit for writing a condition."""
STANDBY_SECONDS = 2.5
"""A standby considers a node lost this much later, so that it first sees what the leader does."""
KUBELET_PORT = 10250
TARGETS_SECONDS = 2.0
"""Interval of looking for new targets: the maximum delay until a node with its first pod is probed."""
TARGETS = 16
"""Pods of a node that are tried, in addition to its kubelet, if the first one does not answer. They come from as many
namespaces as possible: a tenant whose pods fall silent on purpose must not cause others to be fenced."""
TRY_SECONDS = 30.0
"""Longest interval of attempts to reach a kubelet that has never answered, and its node's pods."""
MOST_TRIED = 256
"""Maximum number of additional targets per round: each needs a socket."""
COMPLAIN_SECONDS = 5.0
"""Minimum interval of log lines about failed writes."""
RESTORED = "NodeReachable"
"""Reason of the event for a restored pod."""

_log = logging.getLogger(__name__)


class Fence:
    """The fencing of one replica. Runs on the leader and on standbys."""

    def __init__(
        self,
        client: Client,
        *,
        pods: Iterable[Pod],
        changes: Callable[[], object] = object,
        zones: Mapping[str, str],
        peers: Peers,
        leading: Callable[[], bool],
        seen: Callable[[Json], object] = lambda _: None,
        tell: Callable[[Pod, str, str], None] = lambda *_: None,
        knock: Callable[..., Awaitable[set[Target]]] = probe,
    ) -> None:
        """`pods` are those of all TTSServices. `zones` maps nodes to zones. `client` writes even without the lease.

        The pods are scanned again only if `changes` returns a new value; by default, each time. `seen` receives a pod
        after a write. `tell` receives a fenced or restored pod, a reason in one word, and a sentence. `knock` probes
        targets for a sign of life.
        """
        self._client = client
        self._pods = pods
        self._changes = changes
        self._zones = zones
        self._peers = peers
        self._leading = leading
        self._seen = seen
        self._tell = tell
        self._knock = knock
        self._nodes = Nodes()
        self._fenced: dict[str, int] = {}
        """Pods fenced by this process: their uids, and their resource versions at that time."""
        self._contested: set[str] = set()
        self._targets_by_node: dict[str, list[Target]] = {}
        self._scan_due = 0.0
        self._scanned: object = None
        """The value of `changes` at the last scan."""
        self._first: dict[str, Target] = {}
        """The target on each node that answered last."""
        self._heard: set[Target] = set()
        """Targets that have ever answered. A kubelet vouches for all pods of its node, a pod for itself."""
        self._tries: dict[str, tuple[float, float]] = {}
        """For nodes whose kubelet has never answered: the time of the next attempt, and the pause before it."""
        self._complaint_due = 0.0
        self._any_fenced = False
        self._suspect = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self.fenced_total = 0
        """Pods that this process has fenced."""
        self.restored_total = 0
        """Pods that this process has restored."""

    async def __aenter__(self) -> Self:
        """Open the session, which uses neither credentials nor a proxy."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, force_close=True), trust_env=False, auto_decompress=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    @property
    def fenced(self) -> int:
        """The number of pods fenced by any replica."""
        return sum(map(is_fenced, self._pods))

    def view(self, nodes: Iterable[str]) -> View:
        """This replica's view of some nodes."""
        return self._nodes.view(nodes, leading=self._leading())

    def count(self) -> dict[Sight, int]:
        """The number of nodes in each state, as this replica sees them."""
        return self._nodes.count()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._probe())
            group.create_task(self._compare())

    async def _probe(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._round(begun)
            except Exception:  # noqa: BLE001 - a bug here must not end the operator
                _log.exception("node probing failed")
            await asyncio.sleep(max(0.0, begun + ROUND_SECONDS - time.monotonic()))

    async def _round(self, begun: float) -> None:
        if begun >= self._scan_due:
            self._scan_due = begun + TARGETS_SECONDS
            self._scan()
        tried = self._to_try(begun)
        asked = {node: target for node, target in self._first.items() if self._nodes.sight(node) is not Sight.UNKNOWN}
        answering = await self._knock({*asked.values()}.union(*tried.values()), seconds=ANSWER_SECONDS)
        silent = {node for node, target in asked.items() if target not in answering}
        if silent:
            self._scan()  # its pods may have been replaced
            silent &= self._targets_by_node.keys()
            answering |= await self._knock(
                {target for node in silent for target in self._targets_by_node[node]}, seconds=ANSWER_SECONDS
            )
        self._heard |= answering
        answered = (asked.keys() & self._targets_by_node.keys()) - silent
        for node in (silent | tried.keys()) - answered:
            found = next((target for target in self._targets_by_node.get(node, ()) if target in answering), None)
            if found is not None:
                self._first[node] = found
                answered.add(node)
        self._nodes.look(answered, self._targets_by_node.keys() - answered, begun=begun)
        if self._nodes.unreachable or self._any_fenced:
            self._suspect.set()

    def _scan(self) -> None:
        """Scan all pods for targets. Rarely, because a scan of thousands costs more than the probes."""
        changes = self._changes()
        if changes == self._scanned:
            return
        self._targets_by_node = targets_by_node(self._pods)
        self._first = {
            node: first if (first := self._first.get(node)) in targets else targets[0]
            for node, targets in self._targets_by_node.items()
        }
        self._heard &= {target for targets in self._targets_by_node.values() for target in targets}
        self._any_fenced = any(map(is_fenced, self._pods))
        self._scanned = changes

    def _to_try(self, now: float) -> dict[str, list[Target]]:
        """Targets on nodes whose kubelet has never answered: a few nodes at a time, each less and less often.

        The first attempt tries one pod and the kubelet, which usually suffices. Later attempts try all targets.
        """
        due: dict[str, list[Target]] = {}
        tries: dict[str, tuple[float, float]] = {}
        room = MOST_TRIED
        for node, targets in self._targets_by_node.items():
            if any(map(_is_kubelet, self._heard.intersection(targets))):
                continue
            at, pause = self._tries.get(node, (now, 0.0))
            tried = targets if pause else [targets[0], targets[-1]]
            if at <= now and len(tried) <= room:
                room -= len(tried)
                due[node] = tried
                pause = min(2 * pause, TRY_SECONDS) if pause else TARGETS_SECONDS
                at = now + pause
            tries[node] = at, pause
        self._tries = tries
        return due

    def _is_heard(self, pod: Pod) -> bool:
        """Whether a pod's silence is meaningful: it, or its kubelet, has answered before.

        Otherwise, a tenant could get others fenced. If a firewall hides a node's kubelet, and a NetworkPolicy another
        tenant's pods, the node looks lost once the first tenant's pods fall silent on purpose.
        """
        status = pod["status"]
        targets = Target(status.get("podIP", ""), PORT), Target(status.get("hostIP", ""), KUBELET_PORT)
        return not self._heard.isdisjoint(targets)

    async def _compare(self) -> None:
        while True:
            await self._suspect.wait()
            self._suspect.clear()
            while self._nodes.unreachable:
                begun = time.monotonic()
                await self._look()
                await asyncio.sleep(max(0.0, begun + COMPARE_SECONDS - time.monotonic()))
            await self._look()

    async def _look(self) -> None:
        """Decide, and act if it is up to this replica."""
        assert self._session is not None  # noqa: S101 - for the type checker
        try:
            peers = await self._peers.ask(self._session, self._nodes.unreachable)
            await self._act(peers)
        except Exception:  # noqa: BLE001 - after any error, pods stay as they are
            _log.exception("fencing failed")
            await asyncio.sleep(COMPARE_SECONDS)

    async def _act(self, peers: list[Peer]) -> None:
        if not is_to_act(self._nodes, peers, leading=self._leading()):
            return
        lost = self._nodes.unreachable
        contested = contesting(self._pods, self._fenced, lost)
        for node in contested - self._contested:
            _log.warning("node %s does not respond, but its kubelet still reports; keeping its pods in service", node)
        self._contested = {node for node in self._contested | contested if node in lost}
        now = FencingContext(
            pods=list(self._pods),
            unreachable=self._lasting(agreed(self._nodes, peers)),
            reachable=self._nodes.reachable,
            zones=self._zones,
            contested=self._contested,
            unheard={pod["metadata"]["uid"] for pod in self._pods if node_of(pod) in lost and not self._is_heard(pod)},
        )
        out, back = to_fence(now), to_restore(now)
        self._any_fenced = bool(out) or any(map(is_fenced, now.pods))
        await asyncio.gather(*map(self._fence, out), *map(self._restore, back))
        silent = {pod["metadata"]["uid"] for pod in now.pods if node_of(pod) in lost}
        self._fenced = {uid: version for uid, version in self._fenced.items() if uid in silent}

    def _lasting(self, lost: Mapping[str, float]) -> dict[str, float]:
        """The nodes that have been silent long enough to act."""
        least = 0.0 if self._leading() else STANDBY_SECONDS
        return {node: since for node, since in lost.items() if time.monotonic() - since >= least}

    async def _fence(self, pod: Pod) -> None:
        node = node_of(pod)
        text = f"node {node} does not respond; the pod gets no traffic until it does"
        written = await self._set_ready(pod, ready=False, message=text)
        if written is not None:
            self._fenced[pod["metadata"]["uid"]] = version_of(written)
            self.fenced_total += 1
            self._tell(
                pod,
                NODE_UNREACHABLE,
                f"pod {pod['metadata']['name']} gets no traffic: its node {node} does not respond",
            )

    async def _restore(self, pod: Pod) -> None:
        """Restore a pod if it says that it is ready. Its kubelet would do so too, but later."""
        if not await self._answers(pod):
            return
        self._fenced.pop(pod["metadata"]["uid"], None)
        if await self._set_ready(pod, ready=True, message="") is not None:
            self.restored_total += 1
            note = f"pod {pod['metadata']['name']} gets traffic again: its node {node_of(pod)} responds"
            self._tell(pod, RESTORED, note)

    async def _answers(self, pod: Pod) -> bool:
        assert self._session is not None  # noqa: S101 - for the type checker
        address = pod["status"].get("podIP", "")
        host = f"[{address}]" if ":" in address else address
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self._session.get(
                f"http://{host}:{PORT}/ready", timeout=timeout, allow_redirects=False
            ) as response:
                return response.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False

    async def _set_ready(self, pod: Pod, *, ready: bool, message: str) -> Json | None:
        """Write the condition to the exact version that was decided on. Returns the pod, or None if not written.

        A conflict means that the pod has changed, so that the next round decides again.
        """
        condition: Json = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "reason": None if ready else NODE_UNREACHABLE,
            "message": message or None,
        }
        names = {name: pod["metadata"][name] for name in ("namespace", "name", "uid", "resourceVersion")}
        try:
            # The connection may lead to a lost API server. The next round tries another one.
            async with asyncio.timeout(WRITE_SECONDS):
                written = await self._client.patch_status(
                    PODS, {"metadata": names, "status": {"conditions": [condition]}}
                )
        except ApiError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                self._complain(pod, str(error))
            return None
        except (aiohttp.ClientError, TimeoutError) as error:
            self._complain(pod, f"cannot reach the API server: {str(error) or type(error).__name__}")
            return None
        self._seen(written)
        return written

    def _complain(self, pod: Pod, problem: str) -> None:
        """Log a failed write, but rarely: without an API server, each pod of a lost node fails four times a second."""
        if time.monotonic() >= self._complaint_due:
            self._complaint_due = time.monotonic() + COMPLAIN_SECONDS
            _log.warning("cannot set the condition Ready of a pod, retrying: %s", problem, extra=_where(pod))


def _is_kubelet(target: Target) -> bool:
    return target.port == KUBELET_PORT


def targets_by_node(pods: Iterable[Pod]) -> dict[str, list[Target]]:
    """Return the targets on each node that has pods of TTSServices: the pods, then the kubelet.

    Pods come first, because clients use them too, and because a kubelet logs connections without a request. Pods of
    separate backends are no targets: they have other ports, and may let only servers in.
    """
    found: dict[str, dict[str, list[str]]] = {}
    hosts: dict[str, str] = {}
    for pod in pods:
        node, status, namespace = node_of(pod), pod.get("status", {}), pod["metadata"]["namespace"]
        if not node or "deletionTimestamp" in pod["metadata"] or not (is_ready(pod) or is_fenced(pod)):
            continue
        if status.get("podIP"):
            addresses = found.setdefault(node, {}).setdefault(namespace, [])
            if not is_backend(pod):
                addresses.append(status["podIP"])
            hosts[node] = status.get("hostIP") or hosts.get(node, "")
    targets = {node: _targets(by_namespace, hosts[node]) for node, by_namespace in found.items()}
    return {node: each for node, each in targets.items() if each}


def _targets(by_namespace: Mapping[str, list[str]], host: str) -> list[Target]:
    """The first pod of each namespace, then the second of each, and so on. The kubelet is last."""
    turns = zip_longest(*(sorted(addresses) for addresses in by_namespace.values()))
    addresses = [address for turn in turns for address in turn if address is not None]
    pods = [Target(address, PORT) for address in addresses[:TARGETS]]
    return [*pods, Target(host, KUBELET_PORT)] if host else pods


def _where(pod: Pod) -> dict[str, str]:
    return {"namespace": pod["metadata"]["namespace"], "object": pod["metadata"]["name"]}
