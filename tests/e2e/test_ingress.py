"""The ways in from outside the cluster, through a real ingress controller: Ingress, Gateway API, weights, a rollout."""

from __future__ import annotations

from collections import Counter

import pytest

from devcluster.demo import measure
from tests.e2e.client import Answer, at_host, get, send_from_outside, speech
from tests.e2e.namespace import Namespace, until

pytestmark = pytest.mark.timeout(400, func_only=True)
BY_INGRESS = "by-ingress"
BY_GATEWAY = "by-gateway"
GATEWAY = {"name": "devcluster", "namespace": "traefik"}
TEXT = "您好"
TOO_LONG = "您好吗"
"""For the service BY_INGRESS: it tells by its refusal that it was asked, and not the other."""
MOST = 900
"""Requests for a rollout: more than it takes on however slow a machine."""


@pytest.fixture(scope="module")
def inside(ns: Namespace, ingress_url: str) -> Namespace:
    """Two services that can be reached from outside, Ready."""
    del ingress_url  # it is there before them
    ns.apply(
        BY_INGRESS,
        replicas=1,
        ingress={"className": "traefik", "host": host(BY_INGRESS)},
        server={"maxInputCharacters": len(TEXT)},
    )
    apply_by_gateway(ns)
    for name in (BY_INGRESS, BY_GATEWAY):
        ns.wait_until_ready(name)
    return ns


def host(name: str) -> str:
    """The name by which clients outside know a service."""
    return f"{name}.example.com"


def apply_by_gateway(ns: Namespace, longest: int = 500) -> None:
    """Apply the service BY_GATEWAY; another `longest` text makes other pods."""
    ns.apply(
        BY_GATEWAY,
        replicas=1,
        gateway={"parentRefs": [GATEWAY], "hostnames": [host(BY_GATEWAY)]},
        server={"maxInputCharacters": longest},
    )


def pods_by_gateway(ns: Namespace) -> set[str]:
    """The names of the pods of BY_GATEWAY, also of those that end."""
    items = ns.get("pods", "-l", f"app.kubernetes.io/instance={BY_GATEWAY}")["items"]
    return {pod["metadata"]["name"] for pod in items}


@pytest.mark.parametrize("name", [BY_INGRESS, BY_GATEWAY])
def test_speech_from_outside(inside: Namespace, ingress_url: str, name: str) -> None:
    until(
        "the operator sees that the route is taken",
        lambda: inside.condition(name, "RouteReady").get("status") == "True",
        60,
        otherwise=lambda: inside.status(name),
    )
    assert inside.url(name) == f"http://{host(name)}"
    asked = at_host(speech(ingress_url, TEXT), host(name))
    answers = list[Answer]()

    def speaks() -> bool:
        answers.append(send_from_outside(asked))
        return answers[-1].status == 200

    # The ingress controller hears of routes and ready pods by itself, as the operator does: one of them is first.
    until(f"{name} to speak outside", speaks, 60, otherwise=lambda: answers[-1])
    answer = answers[-1]
    assert answer.content_type == "audio/wav", answer.body[:300]
    assert measure(answer.body).rms > 0.01


def test_a_host_that_nobody_has_is_not_found(ingress_url: str) -> None:
    assert send_from_outside(at_host(get(ingress_url), host("nobody"))).status == 404


def test_a_route_shares_requests_by_weight(inside: Namespace, ingress_url: str) -> None:
    shared = host("shared")
    weights = {BY_INGRESS: 1, BY_GATEWAY: 3}
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
    inside.apply_manifest(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "shared"},
            "spec": {"parentRefs": [GATEWAY], "hostnames": [shared], "rules": [{"backendRefs": backends}]},
        }
    )
    asked = at_host(speech(ingress_url, TOO_LONG), shared)

    def statuses(count: int) -> Counter[int]:
        return Counter(send_from_outside(asked).status for _ in range(count))

    until("the route leads to both", lambda: set(statuses(4)) == {200, 400}, 60)
    counted = statuses(40)
    assert set(counted) == {200, 400}, counted
    assert abs(counted[400] - 10) <= 2  # it takes turns, and begins anew where routes change meanwhile


def test_a_rollout_loses_no_request_from_outside(inside: Namespace, ingress_url: str) -> None:
    before = pods_by_gateway(inside)
    asked = at_host(speech(ingress_url, "第#句话。"), host(BY_GATEWAY))
    with inside.client.constant_load(asked, rate=3, most=MOST) as load:
        apply_by_gateway(inside, longest=50)
        until("other pods are there", lambda: bool(pods_by_gateway(inside) - before), 60)
        until("the old pods are gone", lambda: not pods_by_gateway(inside) & before, 200)
    assert load.result is not None
    assert load.result.failed == []
    assert 10 < load.result.sent < MOST  # it was under way all the time
