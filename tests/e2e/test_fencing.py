"""No pod is fenced as long as its node answers: under CPU starvation, through restarts, with the API server away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.figures import Figure
from devcluster.product import NAMESPACE, ROOT, Product
from tests.e2e.namespace import Namespace, operator_pods, until
from tests.e2e.operatorlog import OperatorLog

SOAK_SECONDS = float(os.environ.get("SOAK", "40"))
STARVED_BY = 4 * (os.cpu_count() or 1)
BUSY = "while True: pass"
FENCED = "NodeUnreachable"
NAME = "steady"
pytestmark = [
    pytest.mark.timeout(SOAK_SECONDS + 300, func_only=True),
    pytest.mark.skipif(
        os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="only devcluster can restart its API server"
    ),
]


@contextmanager
def starved() -> Iterator[None]:
    """Many processes that want all the CPU there is."""
    hogs = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(STARVED_BY)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait(10)


def restart_operator(product: Product) -> None:
    """Kill one of the operator's pods, the one that is older."""
    pods = sorted(operator_pods(product), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    words = ("-n", NAMESPACE, "delete", "pod", pods[0]["metadata"]["name"], "--grace-period=0", "--force")
    product.kubectl(*words, "--wait=false", timeout=120)


def restart_api_server(product: Product) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devcluster", "restart", "kube-apiserver"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    until("the API server answers", lambda: bool(product.kubectl("get", "nodes", timeout=120, check=False)), 120)


def test_nothing_is_fenced_that_answers(
    ns: Namespace, product: Product, operator_log: OperatorLog, figures: list[Figure]
) -> None:
    ns.apply(NAME)
    ns.wait_until_serving(NAME)
    end, number = time.monotonic() + SOAK_SECONDS, 0
    while time.monotonic() < end:
        number += 1
        with starved():
            time.sleep(min(10.0, SOAK_SECONDS / 4))  # a load, not a wait
            if number % 2:
                operator_log.keep()
                restart_operator(product)
            time.sleep(min(10.0, SOAK_SECONDS / 4))
        restart_api_server(product)
        until("the operator is there", lambda: operator_is_up(product), 120)
    events = json.loads(ns.kubectl("get", "events", "--field-selector", f"reason={FENCED}", "-o", "json"))["items"]
    figures += [
        Figure("CPU starvation, operator and API server restarted: pods fenced", len(events), "pods", 0),
        Figure("CPU starvation, operator and API server restarted: rounds", number, "rounds"),
        Figure("CPU starvation, operator and API server restarted: time", SOAK_SECONDS, "s"),
    ]
    assert events == []
    ns.wait_until_serving(NAME)


def operator_is_up(product: Product) -> bool:
    said = product.kubectl(
        "-n", NAMESPACE, "get", "deployment", "tts-operator", "-o", "jsonpath={.status.readyReplicas}", timeout=120
    )
    return said == "2"
