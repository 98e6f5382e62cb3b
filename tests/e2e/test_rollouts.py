"""New versions under constant load, through the Service and through an ingress controller: no request fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devcluster.product import NAMESPACE
from tests.e2e.namespace import Namespace, operator_pods, until
from tests.e2e.rollouts import CANARY, HOLD, PATIENT, QUICK, ObservedReplicas, SpeechService, create_service, until_sent

pytestmark = pytest.mark.timeout(400, func_only=True)
ENOUGH = 2000
STRATEGIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "rolling": ({"strategy": "Rolling"}, ["Checking", "Promoting"]),
    "canary": (
        {"strategy": "Canary", "canary": CANARY},
        ["Checking", "Stepping 0", "Scaling 1", "Stepping 1", "Promoting 1"],
    ),
    "bluegreen": (
        {"strategy": "BlueGreen", "blueGreen": {"scaleDownDelaySeconds": HOLD}},
        ["Checking", "Switched", "Promoting"],
    ),
}
MOST_PODS = 2
AUTOSCALED: dict[str, Any] = {
    "autoscaling": {"minReplicas": 1, "maxReplicas": MOST_PODS, "targetCPUUtilizationPercentage": 20},
    "server": {"cache": {"sizeMiB": 0}},
}
"""So low that any work makes it as large as it may be. It begins with one pod."""
AT_ONCE = ("--force", "--grace-period=0")
OVERLOADED = '"code":"overloaded"'
WAYS = [("rolling", "ingress"), ("canary", "ingress"), ("canary", "gateway"), ("bluegreen", "ingress")]


@pytest.mark.parametrize("strategy, way", WAYS)
def test_from_a_to_b_without_a_failed_request(ns: Namespace, ingress_url: str, strategy: str, way: str) -> None:
    rollout, phases = STRATEGIES[strategy]
    speaker = create_service(ns, ingress_url, f"{strategy}-{way}", way, rollout=rollout | PATIENT)
    with speaker.observe_rollout() as seen, speaker.under_load() as load:
        speaker.apply(speaker.version("b"))
        speaker.until_done(150)
        until_sent(load, ENOUGH)
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()
    assert load.result.sent >= ENOUGH
    assert set(load.result.versions) == {"", "b"}
    assert seen.phases == ["", *phases, ""]
    assert set(ns.get("service", speaker.name)["spec"]["selector"].values()) == {"tts-server", speaker.name}
    speaker.delete()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_operator_killed_in_every_phase_loses_nothing(ns: Namespace, ingress_url: str, strategy: str) -> None:
    rollout, phases = STRATEGIES[strategy]
    speaker = create_service(ns, ingress_url, f"killed-{strategy}", "ingress", rollout=rollout | PATIENT)
    with speaker.observe_rollout() as seen, speaker.under_load() as load:
        speaker.apply(speaker.version("b"))
        for each in phases:
            phase, _, step = each.partition(" ")
            speaker.until_phase(phase, 90, step=int(step) if step else None)
            kill_operator(speaker)
        speaker.until_done(150)
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()
    assert set(load.result.versions) == {"", "b"}
    assert seen.phases == ["", *phases, ""]
    speaker.delete()


def test_an_autoscaled_service_never_has_fewer_pods(ns: Namespace, ingress_url: str) -> None:
    """An HPA has made it larger than it began; all strategies at a time."""
    image = SpeechService(ns, "scaled", ingress_url, {}).version("b")

    def roll_out(strategy: str) -> ObservedReplicas:
        rollout, _ = STRATEGIES[strategy]
        speaker = create_service(
            ns, ingress_url, f"scaled-{strategy}", "ingress", rollout=rollout | QUICK, **AUTOSCALED
        )
        with speaker.observe_replicas() as counted, speaker.under_load(0.5, uncached=True) as load:
            scaled = [MOST_PODS]
            until(f"{speaker.name} is scaled up", lambda: counted.ready[-1:] == counted.wanted[-1:] == scaled, 120)
            del counted.ready[:-1], counted.wanted[:-1]
            speaker.apply(image)
            speaker.until_done(200)
        # Three services share the test machine: a server may be at its limit, and says so. Nothing else may fail.
        assert [each for each in load.failures if OVERLOADED not in each.body] == [], (
            load.result and load.result.summary()
        )
        speaker.delete()
        return counted

    with ThreadPoolExecutor(len(STRATEGIES)) as pool:
        counts = dict(zip(STRATEGIES, pool.map(roll_out, STRATEGIES), strict=True))
    least = {strategy: (min(each.ready), min(each.wanted)) for strategy, each in counts.items()}
    assert least == dict.fromkeys(STRATEGIES, (MOST_PODS, MOST_PODS))


def kill_operator(speaker: SpeechService) -> None:
    """SIGKILL to all replicas at once; the Deployment makes new ones."""
    names = [pod["metadata"]["name"] for pod in operator_pods(speaker.ns.product)]
    speaker.ns.product.kubectl("-n", NAMESPACE, "delete", "pod", *names, "--ignore-not-found", *AT_ONCE)
