"""A zone is lost: its pods leave the Service in seconds, the others speak on, and all is as before when it is back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bench.figures import Figure, quantile
from devcluster.product import ROOT, Product
from tests.e2e.client import at_host, send_from_outside, speech
from tests.e2e.load import Failure, loading
from tests.e2e.namespace import Namespace, operator_pods, until, zones
from tests.e2e.operatorlog import OperatorLog, leader
from tts_operator.json_object import Json

pytestmark = [
    pytest.mark.timeout(800, func_only=True),
    pytest.mark.skipif(
        os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="only devcluster can cut a zone off"
    ),
]
NAME = "survivor"
HOST = f"{NAME}.example.com"
RATE = 30
OUTAGES = int(os.environ.get("OUTAGES", "1"))
"""How many zones are lost, one after the other; in every third outage it is the one in which the leader works."""
GRACE = 5.0
"""Seconds of load after all is over, to see that it is."""


def devcluster(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devcluster", *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def outages(figures: list[Figure]) -> Iterator[list[Figure]]:
    """What each outage has cost. All of them together are told at the end."""
    found: list[Figure] = []
    yield found
    windows = [figure.value for figure in found if figure.unit == "s"]
    figures += found
    if windows:
        figures += [
            Figure("zones cut off: failing window, p50", quantile(windows, 0.5), "s", 3),
            Figure("zones cut off: failing window, max", max(windows), "s", 6),
        ]


@pytest.fixture(params=range(OUTAGES), ids=lambda number: f"outage-{number + 1}")
def survivor(ns: Namespace, ingress_url: str) -> Iterator[Namespace]:
    """A service with a pod in each of three zones, that can be reached from outside."""
    ns.apply(NAME, ingress={"className": "traefik", "host": HOST})
    ns.wait_until_ready(NAME)
    asked = at_host(speech(ingress_url, "还在"), HOST)
    until("it speaks", lambda: send_from_outside(asked).status == 200, 60)
    yield ns
    ns.kubectl("delete", "tts", NAME)
    until("its pods are gone", lambda: not ns.pods(NAME), 120)


@pytest.fixture
def lost(
    survivor: Namespace, product: Product, operator_log: OperatorLog, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The zone to lose. It is there again afterwards."""
    del survivor  # it is there before
    where = zones(product)
    until("both replicas of the operator work", lambda: len([*filter(is_ready, operator_pods(product))]) == 2, 120)
    operator_log.keep()
    held = leader(product)
    (node,) = {pod["spec"]["nodeName"] for pod in operator_pods(product) if pod["metadata"]["name"] == held}
    others = sorted(set(where.values()) - {where[node]})
    number = request.node.callspec.params["survivor"]
    zone = where[node] if number % 3 == 0 else others[number % 2]
    yield zone
    devcluster("zone", "up", zone)
    product.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s", timeout=190)


def test_the_loss_of_a_zone(
    survivor: Namespace, product: Product, lost: str, ingress_url: str, outages: list[Figure]
) -> None:
    ns, where = survivor, zones(product)
    others = sorted(set(where.values()) - {lost})
    gone = {node for node, zone in where.items() if zone == lost}

    fences: list[Json] = []
    """The condition Ready of each pod that is fenced."""

    def fenced() -> bool:
        fences[:] = [ready(pod) for pod in ns.pods(NAME) if pod["spec"].get("nodeName") in gone]
        return bool(fences) and all(each.get("reason") == "NodeUnreachable" for each in fences)

    def kubernetes_was_later() -> bool:
        last = max(each["lastTransitionTime"] for each in fences)
        nodes = [ready(node) for node in ns.get("nodes")["items"] if node["metadata"]["name"] in gone]
        return all(each["status"] == "True" or each["lastTransitionTime"] >= last for each in nodes)

    def replaced() -> bool:
        pods = [pod for pod in ns.pods(NAME) if is_ready(pod)]
        return len(pods) == 3 and lost not in {where[pod["spec"]["nodeName"]] for pod in pods}

    def all_pods() -> list[Json]:
        pods: list[Json] = ns.get("pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
        return pods

    with loading([ingress_url], rate=RATE, timeout=10.0, begun=5 * RATE, headers={"Host": HOST}) as load:
        sent = load.answered + len(load.failures)
        devcluster("zone", "down", lost)
        cut = time.monotonic()
        until("the pods of the lost zone are fenced", fenced, 60)
        found = time.monotonic() - cut
        assert kubernetes_was_later(), "Kubernetes itself was faster"
        until("the status tells it", lambda: ns.status(NAME).get("fencedReplicas") == 1, 60)
        assert ns.condition(NAME, "Available")["status"] == "True"
        until("the lost pod is replaced", replaced, 120)
        until("the status names the zones that are left", lambda: ns.status(NAME)["zones"] == others, 120)
        devcluster("zone", "up", lost)
        until("the lost pod is gone for good", lambda: len(ns.pods(NAME)) == len(all_pods()) == 3, 120)
        ns.wait_until_ready(NAME)
        time.sleep(GRACE)
    assert load.result is not None
    failures = load.result.failures
    outages += [
        Figure(f"zone {lost} cut off: failing window", window(failures), "s"),
        Figure(f"zone {lost} cut off: its pod is fenced after", round(found, 1), "seconds"),
        Figure(f"zone {lost} cut off: failed requests", len(failures), "requests"),
        Figure(f"zone {lost} cut off: requests", load.result.sent - sent, "requests"),
    ]
    assert len(failures) < 0.1 * load.result.sent, load.result.summary()


def window(failures: tuple[Failure, ...]) -> float:
    """Seconds from the sending of the first request that failed to that of the last one."""
    times = [failure.at for failure in failures]
    return max(times) - min(times) if times else 0.0


def is_ready(body: Json) -> bool:
    return ready(body).get("status") == "True"


def ready(body: Json) -> Json:
    """The condition Ready of a pod or a node; empty where there is none."""
    conditions: list[Json] = body.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == "Ready"), {})
