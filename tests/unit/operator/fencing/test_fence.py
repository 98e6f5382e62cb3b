"""Fencing from the first unanswered probe to the condition of a pod, on virtual time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.operator.fencing.test_fencing import LABELS, ZONES
from tts_operator.fencing.fence import MOST_TRIED, Fence
from tts_operator.fencing.probe import Target
from tts_operator.fencing.views import Peer, Sight, View
from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.objects import Condition, Pod

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
NODES = "a0", "b0", "c0"


@dataclass
class Cluster:
    """Nodes that may fall silent, their pods, and the API server; also the other replica of the operator."""

    clock: Clock
    pods: list[Pod] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    conflicts: int = 0
    hanging: int = 0
    refusing: bool = False
    peer: Callable[[], list[Peer]] = list
    written: list[tuple[float, str, str]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    leading: bool = True
    unready: set[str] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    """Addresses that do not answer, though their nodes do."""

    def __post_init__(self) -> None:
        for number, node in enumerate(NODES):
            self.pods.append(
                {
                    "metadata": {
                        "namespace": "speech",
                        "name": f"pod-{node}",
                        "uid": f"uid-{node}",
                        "resourceVersion": "1",
                        "labels": LABELS,
                    },
                    "spec": {"nodeName": node},
                    "status": {"podIP": f"10.0.0.{number}", "conditions": [{"type": "Ready", "status": "True"}]},
                }
            )

    def __iter__(self) -> Any:
        return iter(self.pods)

    async def knock(self, targets: Collection[Target], *, seconds: float) -> set[Target]:
        silent = {pod["status"]["podIP"] for pod in self.pods if pod["spec"]["nodeName"] in self.silent}
        answers = {target for target in targets if target.address not in silent | self.quiet}
        await asyncio.sleep(0.001 if len(answers) == len(set(targets)) else seconds)
        return answers

    async def patch_status(self, _: object, patch: Json) -> Pod:
        await asyncio.sleep(0.01)
        if self.hanging:
            self.hanging -= 1
            await asyncio.sleep(30)
        if self.refusing:
            raise ApiError(status=503, reason="ServiceUnavailable", message="it is away")
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(status=409, reason="Conflict", message="it has changed")
        (condition,) = patch["status"]["conditions"]
        pod = next(pod for pod in self.pods if pod["metadata"]["uid"] == patch["metadata"]["uid"])
        self.change(pod, condition)
        self.written.append((self.clock(), pod["metadata"]["name"], condition["status"]))
        return copy.deepcopy(pod)

    def kubelet_reports(self, node: str) -> None:
        self.change(
            next(pod for pod in self.pods if pod["spec"]["nodeName"] == node), {"type": "Ready", "status": "True"}
        )

    def change(self, pod: Pod, condition: Condition) -> None:
        version = int(pod["metadata"]["resourceVersion"]) + 1
        pod["metadata"] = {**pod["metadata"], "resourceVersion": str(version)}
        pod["status"] = {**pod["status"], "conditions": [condition]}

    async def ask(self, *_: object) -> list[Peer]:
        await asyncio.sleep(0.01)
        return self.peer()

    @asynccontextmanager
    async def fencing(
        self, pods: Iterable[Pod] | None = None, changes: Callable[[], object] = object
    ) -> AsyncIterator[Fence]:
        fence = Fence(
            self,  # type: ignore[arg-type]
            pods=self if pods is None else pods,
            changes=changes,
            zones=ZONES,
            peers=self,  # type: ignore[arg-type]
            leading=lambda: self.leading,
            tell=lambda pod, reason, _: self.told.append((pod["metadata"]["name"], reason)),
            knock=self.knock,
        )

        async def answers(pod: Pod) -> bool:
            return pod["metadata"]["name"] not in self.unready

        fence._answers = answers  # type: ignore[method-assign]
        async with fence:
            running = asyncio.create_task(fence.run())
            await asyncio.sleep(3)
            try:
                yield fence
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running


@pytest.fixture
def cluster(clock: Clock) -> Cluster:
    return Cluster(clock)


def a_new_pod(cluster: Cluster) -> Pod:
    """On a node that had none."""
    new = copy.deepcopy(cluster.pods[0])
    new["metadata"] |= {"name": "pod-d0", "uid": "uid-d0"}
    new["spec"], new["status"] = {"nodeName": "d0"}, {**new["status"], "podIP": "10.0.0.9"}
    return new


def sees(leading: bool = False, **nodes: Sight) -> Callable[[], list[Peer]]:
    return lambda: [Peer(node="b0", view=View(leading=leading, cut_off=False, nodes=nodes))]


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 0.9])
async def test_a_pod_leaves_about_two_seconds_after_its_node_fell_silent(cluster: Cluster, moment: float) -> None:
    async with cluster.fencing() as fence:
        await asyncio.sleep(moment)
        begun = cluster.clock()
        cluster.silent.add("c0")
        await asyncio.sleep(10)
        ((at, name, status),) = cluster.written
        assert (name, status) == ("pod-c0", "False")
        assert 1.1 < at - begun < 2.5
        assert cluster.told == [("pod-c0", "NodeUnreachable")]
        assert (fence.fenced, fence.fenced_total) == (1, 1)


async def test_it_comes_back_within_three_seconds(cluster: Cluster) -> None:
    async with cluster.fencing() as fence:
        cluster.silent.add("c0")
        await asyncio.sleep(20)
        begun = cluster.clock()
        cluster.silent.clear()
        await asyncio.sleep(20)
        assert [(name, status) for _, name, status in cluster.written] == [("pod-c0", "False"), ("pod-c0", "True")]
        assert cluster.written[-1][0] - begun < 3.5
        assert cluster.told[-1] == ("pod-c0", "NodeReachable")
        assert (fence.fenced, fence.restored_total) == (0, 1)


async def test_it_does_not_come_back_before_it_says_that_it_is_ready(cluster: Cluster) -> None:
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        cluster.unready.add("pod-c0")
        cluster.silent.clear()
        await asyncio.sleep(10)
        assert len(cluster.written) == 1
        cluster.unready.clear()
        await asyncio.sleep(3)
        assert len(cluster.written) == 2


async def test_one_lost_probe_changes_nothing(cluster: Cluster) -> None:
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(0.5)
        cluster.silent.clear()
        await asyncio.sleep(10)
        assert cluster.written == []


async def test_a_replica_that_sees_the_node_prevents_it(cluster: Cluster) -> None:
    cluster.peer = sees(c0=Sight.REACHABLE)
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(30)
        assert cluster.written == []
        cluster.peer = sees(c0=Sight.UNREACHABLE)
        await asyncio.sleep(1)
        assert len(cluster.written) == 1


async def test_who_stands_by_leaves_it_to_the_holder_of_the_lease_as_long_as_that_lives(cluster: Cluster) -> None:
    cluster.leading, cluster.peer = False, sees(leading=True, c0=Sight.UNREACHABLE)
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(30)
        assert cluster.written == []
        cluster.peer = lambda: [Peer(node="c0", view=None)]
        await asyncio.sleep(1)
        assert len(cluster.written) == 1


async def test_who_is_cut_off_does_nothing(cluster: Cluster) -> None:
    async with cluster.fencing():
        cluster.silent |= {"b0", "c0"}
        await asyncio.sleep(30)
        assert cluster.written == []


async def test_a_kubelet_that_says_otherwise_is_not_contradicted(cluster: Cluster) -> None:
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        cluster.kubelet_reports("c0")
        await asyncio.sleep(60)
        assert len(cluster.written) == 1
        cluster.silent.clear()
        await asyncio.sleep(5)
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        assert len(cluster.written) == 2, "once it has answered again, it is a node as any"


async def test_a_conflict_means_another_look(cluster: Cluster) -> None:
    cluster.conflicts = 2
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        assert len(cluster.written) == 1


async def test_pods_that_another_replica_has_fenced_come_back_too(cluster: Cluster) -> None:
    cluster.pods[2]["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "NodeUnreachable"}]
    async with cluster.fencing():
        await asyncio.sleep(3)
        assert [(name, status) for _, name, status in cluster.written] == [("pod-c0", "True")]


async def test_a_tenant_whose_pods_fall_silent_harms_nobody_else(cluster: Cluster) -> None:
    """The hostile pods have the lowest addresses, and had answered first."""
    for node in NODES:
        other = copy.deepcopy(next(pod for pod in cluster.pods if pod["spec"]["nodeName"] == node))
        other["metadata"] |= {"namespace": "hostile", "name": f"hostile-{node}", "uid": f"hostile-{node}"}
        other["status"] |= {"podIP": f"10.0.0.0{node[0]}"}
        cluster.pods.insert(0, other)
    async with cluster.fencing() as fence:
        cluster.quiet = {pod["status"]["podIP"] for pod in cluster.pods if pod["metadata"]["namespace"] == "hostile"}
        await asyncio.sleep(30)
        assert cluster.written == []
        assert fence.count()[Sight.REACHABLE] == 3


@pytest.mark.parametrize("kubelet_answered", [False, True])
async def test_pods_that_have_never_answered_are_fenced_only_with_their_kubelet(
    cluster: Cluster, kubelet_answered: bool
) -> None:
    """The victim's NetworkPolicy keeps the operator out; the hostile pod beside it answers, and then does not."""
    (victim,) = [pod for pod in cluster.pods if pod["spec"]["nodeName"] == "c0"]
    victim["status"]["hostIP"] = "192.168.0.3"
    hostile = copy.deepcopy(victim)
    hostile["metadata"] |= {"namespace": "hostile", "name": "hostile", "uid": "hostile"}
    hostile["status"] |= {"podIP": "10.0.0.66"}
    cluster.pods.append(hostile)
    cluster.quiet = {victim["status"]["podIP"], *(() if kubelet_answered else ("192.168.0.3",))}
    async with cluster.fencing() as fence:
        await asyncio.sleep(65)
        cluster.quiet |= {"10.0.0.66", "192.168.0.3"}
        await asyncio.sleep(10)
        assert fence.count()[Sight.UNREACHABLE] == 1
        assert [name for _, name, _ in cluster.written] == (["pod-c0"] if kubelet_answered else [])


async def test_a_hundred_nodes_behind_a_firewall_are_tried_a_few_at_a_time(cluster: Cluster) -> None:
    """Each way takes a socket, of which a process may have a thousand; all pods have been heard in the end."""
    pods = cluster.pods
    for number in range(1600):
        pod = copy.deepcopy(pods[0])
        pod["metadata"] |= {"name": f"pod-{number}", "uid": f"uid-{number}", "namespace": f"speech-{number % 16}"}
        pod["spec"] = {"nodeName": f"n{number % 100}"}
        pod["status"] |= {"podIP": f"10.1.{number // 250}.{number % 250}", "hostIP": f"192.168.1.{number % 100}"}
        pods.append(pod)
    cluster.quiet = {f"192.168.1.{number}" for number in range(100)}
    knock, most = cluster.knock, 0

    async def counting(targets: Collection[Target], *, seconds: float) -> set[Target]:
        nonlocal most
        most = max(most, len(set(targets)))
        return await knock(targets, seconds=seconds)

    cluster.knock = counting  # type: ignore[method-assign]
    async with cluster.fencing() as fence:
        await asyncio.sleep(30)
        assert most <= len(NODES) + 100 + MOST_TRIED
        assert all(map(fence._is_heard, pods))
        assert fence.count()[Sight.REACHABLE] == len(NODES) + 100


async def test_a_node_that_comes_while_another_falls_silent_has_not_answered_yet(cluster: Cluster) -> None:
    async with cluster.fencing() as fence:
        cluster.pods.append(a_new_pod(cluster))
        cluster.silent |= {"c0", "d0"}
        await asyncio.sleep(30)
        assert fence.count() == {Sight.REACHABLE: 2, Sight.UNREACHABLE: 1, Sight.UNKNOWN: 1}


async def test_who_does_not_hold_the_lease_acts_later(cluster: Cluster) -> None:
    """Two replicas that cannot reach each other must not fence for each other at the same time."""
    cluster.leading, cluster.peer = False, lambda: [Peer(node="c0", view=None)]
    async with cluster.fencing():
        begun = cluster.clock()
        cluster.silent.add("c0")
        await asyncio.sleep(10)
        ((at, _, _),) = cluster.written
        assert 2.5 < at - begun < 4


async def test_an_api_server_that_hangs_is_tried_again(cluster: Cluster) -> None:
    cluster.hanging = 1
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        assert len(cluster.written) == 1


async def test_an_api_server_that_is_away_is_logged_seldom(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.refusing = True
    async with cluster.fencing():
        cluster.silent.add("c0")
        await asyncio.sleep(13)
    assert len([line for line in caplog.messages if "cannot set the condition Ready" in line]) == 3


async def test_new_nodes_are_found_while_another_is_silent(cluster: Cluster) -> None:
    async with cluster.fencing() as fence:
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        cluster.pods.append(a_new_pod(cluster))
        await asyncio.sleep(15)
        assert fence.count()[Sight.REACHABLE] == 3


async def test_pods_are_looked_through_only_when_they_have_changed(cluster: Cluster) -> None:
    looked = 0

    class Pods(list[Pod]):
        def __iter__(self) -> Iterator[Pod]:
            nonlocal looked
            looked += 1
            return super().__iter__()

    pods, changes = Pods(cluster.pods), 0
    async with cluster.fencing(pods, lambda: changes) as fence:
        begun = looked
        await asyncio.sleep(60)
        assert looked == begun > 0
        pods.append(a_new_pod(cluster))
        changes += 1
        await asyncio.sleep(5)
        assert begun < looked < begun + 4
        assert sum(fence.count().values()) == 4


async def test_code_that_breaks_in_a_round_does_not_end_it(cluster: Cluster) -> None:
    async with cluster.fencing():
        pods, cluster.pods = cluster.pods, [{"metadata": {}}]
        await asyncio.sleep(5)
        cluster.pods = pods
        await asyncio.sleep(3)
        cluster.silent.add("c0")
        await asyncio.sleep(5)
        assert len(cluster.written) == 1
