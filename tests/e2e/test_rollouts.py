"""New versions under constant load, through the Service and through an ingress controller: no request fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.place import Place, until
from tests.e2e.rollouts import Voice, until_sent

pytestmark = pytest.mark.timeout(400, func_only=True)
GATEWAY = {"name": "devcluster", "namespace": "traefik"}
ENOUGH = 2000
HOLD = 8
CANARY = {"steps": [{"weight": 20, "holdSeconds": HOLD}, {"weight": 50, "holdSeconds": HOLD}]}
STRATEGIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "rolling": ({"strategy": "Rolling"}, ["", "Checking", "Promoting", ""]),
    "canary": (
        {"strategy": "Canary", "canary": CANARY},
        ["", "Checking", "Stepping 0", "Scaling 1", "Stepping 1", "Promoting 1", ""],
    ),
    "bluegreen": (
        {"strategy": "BlueGreen", "blueGreen": {"scaleDownDelaySeconds": HOLD}},
        ["", "Checking", "Switched", "Promoting", ""],
    ),
}


def voice(place: Place, ingress_url: str, name: str, *, gateway: bool = False, **spec: Any) -> Voice:
    """A service of two pods that is reached from outside, and speaks."""
    host = f"{name}.example.com"
    way = (
        {"gateway": {"parentRefs": [GATEWAY], "hostnames": [host]}}
        if gateway
        else {"ingress": {"className": "traefik", "host": host}}
    )
    found = Voice(place, name, ingress_url, {"replicas": 2, **way, **spec})
    found.apply()
    place.ready(name)
    until(f"{name} speaks", lambda: found.speaks(), 30)
    return found


@pytest.mark.parametrize("gateway", [False, True], ids=["ingress", "gateway"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_from_a_to_b_without_a_failed_request(place: Place, ingress_url: str, strategy: str, gateway: bool) -> None:
    if gateway and strategy != "canary":
        pytest.skip("only a canary's weights are the route's business")
    rollout, phases = STRATEGIES[strategy]
    speaker = voice(place, ingress_url, f"{strategy}-{'gw' if gateway else 'in'}", gateway=gateway, rollout=rollout)
    with speaker.watched() as seen, speaker.under_load() as load:
        speaker.apply(speaker.version("b"))
        speaker.until_done(150)
        until_sent(load, ENOUGH)
    assert load.tally is not None
    assert load.tally.failures == (), load.tally.told()
    assert load.tally.sent >= ENOUGH
    assert set(load.tally.versions) == {"", "b"}
    assert seen.phases == phases
    assert set(speaker.place.get("service", speaker.name)["spec"]["selector"].values()) == {"tts-server", speaker.name}
