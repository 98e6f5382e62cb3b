"""Probe the nodes, compare with the other replicas, and take pods out of their Services, or back in."""

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
from tts_operator.desired.pod import PORT
from tts_operator.fencing.choose import (
    Situation,
    contesting,
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
from tts_operator.runtime import version_of

ROUND_SECONDS = 1.0
"""Each node is probed once in so long."""
ANSWER_SECONDS = 0.6
"""A node has so long to answer. Then all ways to it that are known are tried at once, for as long again."""
COMPARE_SECONDS = 0.25
"""While a node does not answer, the other replicas are asked so often."""
WRITE_SECONDS = 1.5
"""The API server has so long to take a condition."""
STANDBY_SECONDS = 2.5
"""Who does not hold the lease takes a node for lost so much later, so that it sees first what the holder does."""
KUBELET_PORT = 10250
WAYS_SECONDS = 2.0
"""Nodes on which there are pods for the first time are probed from then on at the latest."""
WAYS = 16
"""Pods of one node that are tried, when the first did not answer, beside its kubelet. They are of as many namespaces as
there are: a tenant whose pods fall silent on purpose must not have those of others fenced."""
TRY_SECONDS = 30.0
"""Where a node's kubelet has never answered, it and the node's pods are tried this often at least."""
MOST_TRIED = 256
"""Ways that are tried in one round beside the probes: each takes a socket."""
COMPLAIN_SECONDS = 5.0
"""Between two log lines about writes that fail."""
RESTORED = "NodeReachable"
"""Reason of the event that tells of a pod's return."""

_log = logging.getLogger(__name__)


class Fence:
    """What one replica does about nodes that do not answer. Runs on every replica, whoever holds the lease."""

    def __init__(
        self,
        client: Client,
        *,
        pods: Iterable[Json],
        changes: Callable[[], object] = object,
        zones: Mapping[str, str],
        peers: Peers,
        leading: Callable[[], bool],
        seen: Callable[[Json], object] = lambda _: None,
        tell: Callable[[Json, str, str], None] = lambda *_: None,
        knock: Callable[..., Awaitable[set[Target]]] = probe,
    ) -> None:
        """`pods` are those of all TTSServices, `zones` tells each node's zone.

        The pods are looked through again only when `changes` returns another value; by default, each time.
        `client` writes whether the lease is held or not. `seen` takes a pod as it is after a write. `tell` is called
        with a pod that was fenced or restored, a reason in one word, and a sentence. `knock` asks targets for a sign of
        life.
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
        """By this process: the uid of a pod, and the resource version that it had then."""
        self._contested: set[str] = set()
        self._ways: dict[str, list[Target]] = {}
        self._ways_due = 0.0
        self._ways_of: object = None
        """The pods' changes when they were last looked through."""
        self._first: dict[str, Target] = {}
        """Where each node has answered last."""
        self._heard: set[Target] = set()
        """What has ever answered: a kubelet for all pods of its node, a pod for itself."""
        self._tries: dict[str, tuple[float, float]] = {}
        """For nodes whose kubelet has not answered: when they are tried next, and the pause before that."""
        self._complaint_due = 0.0
        self._any_fenced = False
        self._suspect = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self.fenced_total = 0
        """Pods that this process has taken out of their Services."""
        self.restored_total = 0
        """Pods that it has put back."""

    async def __aenter__(self) -> Self:
        """Replicas and pods are asked without credentials and without any proxy."""
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
        """How many pods are fenced, by whichever replica."""
        return sum(map(is_fenced, self._pods))

    def view(self, nodes: Iterable[str]) -> View:
        """What this replica sees of some nodes."""
        return self._nodes.view(nodes, leading=self._leading())

    def count(self) -> dict[Sight, int]:
        """How many nodes this replica sees in which state."""
        return self._nodes.count()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._probe())
            group.create_task(self._compare())

    async def _probe(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._round(begun)
            except Exception:  # noqa: BLE001 - one that breaks the code must not end the operator
                _log.exception("node probing failed")
            await asyncio.sleep(max(0.0, begun + ROUND_SECONDS - time.monotonic()))

    async def _round(self, begun: float) -> None:
        if begun >= self._ways_due:
            self._ways_due = begun + WAYS_SECONDS
            self._find_ways()
        tried = self._to_try(begun)
        asked = {node: target for node, target in self._first.items() if self._nodes.sight(node) is not Sight.UNKNOWN}
        answering = await self._knock({*asked.values()}.union(*tried.values()), seconds=ANSWER_SECONDS)
        silent = {node for node, target in asked.items() if target not in answering}
        if silent:
            self._find_ways()  # its pods may be gone, and others there
            silent &= self._ways.keys()
            answering |= await self._knock(
                {target for node in silent for target in self._ways[node]}, seconds=ANSWER_SECONDS
            )
        self._heard |= answering
        answered = (asked.keys() & self._ways.keys()) - silent
        for node in (silent | tried.keys()) - answered:
            way = next((target for target in self._ways.get(node, ()) if target in answering), None)
            if way is not None:
                self._first[node] = way
                answered.add(node)
        self._nodes.look(answered, self._ways.keys() - answered, begun=begun)
        if self._nodes.unreachable or self._any_fenced:
            self._suspect.set()

    def _find_ways(self) -> None:
        """Look through all pods for where the nodes may answer. Seldom: of thousands it costs more than to probe."""
        changes = self._changes()
        if changes == self._ways_of:
            return
        self._ways = ways_to(self._pods)
        self._first = {
            node: first if (first := self._first.get(node)) in targets else targets[0]
            for node, targets in self._ways.items()
        }
        self._heard &= {target for targets in self._ways.values() for target in targets}
        self._any_fenced = any(map(is_fenced, self._pods))
        self._ways_of = changes

    def _to_try(self, now: float) -> dict[str, list[Target]]:
        """Ways to the nodes whose kubelet has never answered, some nodes at a time, and each more and more seldom.

        At first one pod and the kubelet: where that answers, no other way is needed. Then all.
        """
        due: dict[str, list[Target]] = {}
        tries: dict[str, tuple[float, float]] = {}
        room = MOST_TRIED
        for node, targets in self._ways.items():
            if any(map(_is_kubelet, self._heard.intersection(targets))):
                continue
            at, pause = self._tries.get(node, (now, 0.0))
            ways = targets if pause else [targets[0], targets[-1]]
            if at <= now and len(ways) <= room:
                room -= len(ways)
                due[node] = ways
                pause = min(2 * pause, TRY_SECONDS) if pause else WAYS_SECONDS
                at = now + pause
            tries[node] = at, pause
        self._tries = tries
        return due

    def _is_heard(self, pod: Json) -> bool:
        """Whether its silence means anything: it, or its kubelet, has answered once. Else others could speak for it.

        A tenant's pods could fall silent on purpose, beside those of somebody whose NetworkPolicy keeps us out, on a
        node whose kubelet a firewall hides: then nothing there would answer, and the node would look lost.
        """
        status = pod["status"]
        ways = Target(status.get("podIP", ""), PORT), Target(status.get("hostIP", ""), KUBELET_PORT)
        return not self._heard.isdisjoint(ways)

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
        """Decide, and act where it is for this replica to act."""
        assert self._session is not None  # noqa: S101 - for the type checker
        try:
            peers = await self._peers.ask(self._session, self._nodes.unreachable)
            await self._act(peers)
        except Exception:  # noqa: BLE001 - the API server may be away, or the code broken: pods stay as they are
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
        now = Situation(
            pods=list(self._pods),
            unreachable=self._lasting(agreed(self._nodes, peers)),
            reachable=self._nodes.reachable,
            zones=self._zones,
            contested=self._contested,
            unheard={pod["metadata"]["uid"] for pod in self._pods if node_of(pod) in lost and not self._is_heard(pod)},
        )
        out, back = to_fence(now), to_restore(now)
        self._any_fenced = bool(out) or any(map(is_fenced, now.pods))
        await asyncio.gather(*map(self._take_out, out), *map(self._put_back, back))
        silent = {pod["metadata"]["uid"] for pod in now.pods if node_of(pod) in lost}
        self._fenced = {uid: version for uid, version in self._fenced.items() if uid in silent}

    def _lasting(self, lost: Mapping[str, float]) -> dict[str, float]:
        """Those that have been silent for long enough to act on."""
        least = 0.0 if self._leading() else STANDBY_SECONDS
        return {node: since for node, since in lost.items() if time.monotonic() - since >= least}

    async def _take_out(self, pod: Json) -> None:
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

    async def _put_back(self, pod: Json) -> None:
        """Only where the pod itself says that it is ready: its kubelet looks again at each, but takes its time."""
        if not await self._answers(pod):
            return
        self._fenced.pop(pod["metadata"]["uid"], None)
        if await self._set_ready(pod, ready=True, message="") is not None:
            self.restored_total += 1
            note = f"pod {pod['metadata']['name']} gets traffic again: its node {node_of(pod)} responds"
            self._tell(pod, RESTORED, note)

    async def _answers(self, pod: Json) -> bool:
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

    async def _set_ready(self, pod: Json, *, ready: bool, message: str) -> Json | None:
        """Write the condition to the version that was decided on. Returns the pod, or None where it was not written.

        A conflict means that there is news of the pod, which another look decides on.
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
            # A connection may lead to an API server that is lost too: the next look tries another one.
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

    def _complain(self, pod: Json, problem: str) -> None:
        """Seldom: while the API server is away, each pod of a lost node fails four times a second."""
        if time.monotonic() >= self._complaint_due:
            self._complaint_due = time.monotonic() + COMPLAIN_SECONDS
            _log.warning("cannot set the condition Ready of a pod, retrying: %s", problem, extra=_where(pod))


def _is_kubelet(target: Target) -> bool:
    return target.port == KUBELET_PORT


def ways_to(pods: Iterable[Json]) -> dict[str, list[Target]]:
    """For each node with pods of ours, where it may answer: by the pods themselves, then by its kubelet.

    A pod first: that is the way of the clients, and a kubelet logs whoever connects and says nothing.
    """
    found: dict[str, dict[str, list[str]]] = {}
    hosts: dict[str, str] = {}
    for pod in pods:
        node, status, namespace = node_of(pod), pod.get("status", {}), pod["metadata"]["namespace"]
        if not node or "deletionTimestamp" in pod["metadata"] or not (is_ready(pod) or is_fenced(pod)):
            continue
        if status.get("podIP"):
            found.setdefault(node, {}).setdefault(namespace, []).append(status["podIP"])
            hosts[node] = status.get("hostIP") or hosts.get(node, "")
    return {node: _targets(by_namespace, hosts[node]) for node, by_namespace in found.items()}


def _targets(by_namespace: Mapping[str, list[str]], host: str) -> list[Target]:
    """The first pod of each namespace, then the second of each, and so on; then the kubelet."""
    turns = zip_longest(*(sorted(addresses) for addresses in by_namespace.values()))
    addresses = [address for turn in turns for address in turn if address is not None]
    ways = [Target(address, PORT) for address in addresses[:WAYS]]
    return [*ways, Target(host, KUBELET_PORT)] if host else ways


def _where(pod: Json) -> dict[str, str]:
    return {"namespace": pod["metadata"]["namespace"], "object": pod["metadata"]["name"]}
