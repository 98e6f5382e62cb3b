from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.operator.worlds import condition, container, pod
from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.reconcile.observed.pods import (
    CURES,
    MESSAGE_MAX,
    REASON_MAX,
    Failure,
    is_ready,
    last_failure,
    ready_zones,
)


def waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error", message: str = "") -> Json:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


RUNNING: Json = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def unscheduled(reason: str | None, message: str = "no room") -> Json:
    more = {"message": message} | ({"reason": reason} if reason else {})
    return condition("PodScheduled", "False", **more)


@pytest.mark.parametrize(
    "state, reason, code, message",
    [
        ({"conditions": [unscheduled("Unschedulable")]}, "Unschedulable", None, "no room"),
        ({"conditions": [unscheduled(None)]}, "Unschedulable", None, "no room"),
        ({"containers": [container(waiting("ErrImageNeverPull", "absent"))]}, "ErrImageNeverPull", None, "absent"),
        ({"containers": [container(waiting("ImagePullBackOff", "404"))]}, "ImagePullBackOff", None, "404"),
        ({"containers": [container(waiting("InvalidImageName"))]}, "InvalidImageName", None, ""),
        ({"containers": [container(waiting("CreateContainerConfigError"))]}, "CreateContainerConfigError", None, ""),
        ({"containers": [container(ended(1, message="Traceback"))]}, "Error", 1, "Traceback"),
        ({"containers": [container(ended(137, "OOMKilled"))]}, "OOMKilled", 137, ""),
        ({"containers": [container({"terminated": {"exitCode": 2}})]}, "Error", 2, ""),
        # A crash is told with how it ended, whatever the kubelet does now.
        ({"containers": [container(waiting("CrashLoopBackOff"), last=ended(3))]}, "Error", 3, ""),
        ({"containers": [container(RUNNING, last=ended(137, "OOMKilled"))]}, "OOMKilled", 137, ""),
        ({"containers": [container(waiting("CrashLoopBackOff"), last=ended(0))]}, "CrashLoopBackOff", None, ""),
        # An init container comes first, one that has done its work is passed over.
        ({"init": [container(ended(1))], "containers": [container(waiting("PodInitializing"))]}, "Error", 1, ""),
        ({"init": [container(ended(0))], "containers": [container(ended(9))]}, "Error", 9, ""),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "Evicted", None, "disk"),
        ({"phase": "Failed"}, "Failed", None, ""),
    ],
)
def test_failures(state: Any, reason: str, code: int | None, message: str) -> None:
    found = last_failure([pod(**state)])
    assert found is not None
    assert (found.reason, found.exit_code, found.message) == (reason, code, message)
    assert found.pod == "narrator-1"
    assert found.container == ("server" if "containers" in state or "init" in state else None)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"ready": True, "containers": [container(RUNNING, last=ended(1))]},  # it has recovered
        {"deleted": True, "containers": [container(ended(1))]},
        {"conditions": [condition("PodScheduled", "True")]},
        {"conditions": [unscheduled("SchedulingGated")]},
        {"containers": [container(waiting("ContainerCreating"))]},
        {"containers": [container(waiting("PodInitializing"))]},
        {"containers": [container(RUNNING)]},
        {"containers": [container(ended(0, "Completed"))]},
        {"containers": [container(ended(0, "Completed"), last=ended(1))]},
        {"containers": [container()]},
        {"phase": "Pending"},
    ],
)
def test_no_failures(state: Any) -> None:
    assert last_failure([pod(**state)]) is None


def test_a_pod_without_status_is_no_failure() -> None:
    assert last_failure([{"metadata": {"name": "a"}}]) is None


def crashed(name: str, created: str, code: int) -> Pod:
    return pod(name, created=created, containers=[container(ended(code))])


@pytest.mark.parametrize(
    "pods, code",
    [
        ([crashed("a", "2026-01-01T00:00:00Z", 1), crashed("b", "2026-01-02T00:00:00Z", 2)], 2),
        ([crashed("b", "2026-01-01T00:00:00Z", 1), crashed("a", "2026-01-02T00:00:00Z", 2)], 2),
        ([crashed("a", "2026-01-01T00:00:00Z", 1), crashed("b", "2026-01-01T00:00:00Z", 2)], 2),
        ([crashed("a", "2026-01-01T00:00:00Z", 1), pod("b", created="2026-01-02T00:00:00Z")], 1),
    ],
)
def test_the_newest_failing_pod_counts_in_whatever_order_they_come(pods: Sequence[Pod], code: int) -> None:
    for order in (pods, pods[::-1]):
        found = last_failure(order)
        assert found is not None
        assert found.exit_code == code


@pytest.mark.parametrize(
    "length, kept", [(0, 0), (MESSAGE_MAX, MESSAGE_MAX), (MESSAGE_MAX + 1, MESSAGE_MAX + 3), (9999, MESSAGE_MAX + 3)]
)
def test_of_a_long_message_the_end_is_kept(length: int, kept: int) -> None:
    message = "x" * (length - 1) + "!" if length else ""
    found = last_failure([pod(containers=[container(ended(1, message=message + "\n"))])])
    assert found is not None
    assert len(found.message) == kept
    assert found.message.endswith("!") or not length


def test_what_a_container_says_does_not_steer_a_terminal() -> None:
    message = "Traceback\n\x1b[2J\x1b]0;title\x07  it is\u202eover\r\n"
    found = last_failure([pod(containers=[container(ended(1, message=message))])])
    assert found is not None
    assert found.message == "Traceback [2J ]0;title it is over"
    assert len(Failure(pod="a", reason="x\n" * 10_000).reason) <= REASON_MAX


@pytest.mark.parametrize(
    "failure, text",
    [
        (Failure(pod="a", reason="Error"), "pod a: Error"),
        (Failure(pod="a", reason="Error", exit_code=0), "pod a: Error (exit code 0)"),
        (Failure(pod="a", reason="Error", exit_code=1, message="m"), "pod a: Error (exit code 1): m"),
        *[(Failure(pod="a", reason=r, message="m"), f"pod a: {r}: m -- {cure}") for r, cure in CURES.items()],
    ],
)
def test_describe(failure: Failure, text: str) -> None:
    assert failure.describe() == text


@pytest.mark.parametrize(
    "failure, status",
    [
        (Failure(pod="a", reason="Unschedulable"), {"pod": "a", "reason": "Unschedulable"}),
        (
            Failure(pod="a", container="server", reason="Error", exit_code=0, message="m"),
            {"pod": "a", "container": "server", "reason": "Error", "exitCode": 0, "message": "m"},
        ),
    ],
)
def test_as_status(failure: Failure, status: Json) -> None:
    assert failure.as_status() == status


@pytest.mark.parametrize(
    "body, ready",
    [
        (pod(ready=True), True),
        (pod(ready=False), False),
        (pod(ready=True, deleted=True), False),
        ({"metadata": {"name": "a"}}, False),
        ({"metadata": {"name": "a"}, "status": {}}, False),
    ],
)
def test_is_ready(body: Pod, ready: bool) -> None:
    assert is_ready(body) is ready


ZONES = {"n1": "zone-b", "n2": "zone-a", "n3": "zone-a"}


@pytest.mark.parametrize(
    "pods, zones",
    [
        ([], []),
        ([pod(ready=True, node="n1")], ["zone-b"]),
        ([pod("a", ready=True, node=n) for n in ("n1", "n2", "n3")], ["zone-a", "zone-b"]),
        ([pod(ready=False, node="n1"), pod(ready=True, node="n2")], ["zone-a"]),
        ([pod(ready=True, node="n1", deleted=True)], []),
        ([pod(ready=True, node="unknown")], []),
        ([pod(ready=True, node=None)], []),
    ],
)
def test_ready_zones(pods: Sequence[Pod], zones: list[str]) -> None:
    assert ready_zones(pods, ZONES) == zones
