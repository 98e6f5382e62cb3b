"""A zone is lost: the others go on speaking, the lost pod is replaced, and the status says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from devcluster.product import ROOT, Product
from tests.e2e.client import speech
from tests.e2e.operatorlog import OperatorLog, leader
from tests.e2e.place import Place, operator_pods, until, zones

pytestmark = [
    pytest.mark.timeout(420, func_only=True),
    pytest.mark.skipif(
        os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="only devcluster can cut a zone off"
    ),
]
NAME = "survivor"
ATTEMPTS = 12
"""Until its node counts as lost, one connection in three goes to a pod that is cut off; a client tries again."""


def devcluster(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devcluster", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def lost(product: Product, operator_log: OperatorLog) -> Iterator[str]:
    """The zone to lose: the one in which the operator works, so that it is lost too. It is there again afterwards."""
    operator_log.keep()
    name = leader(product)
    (node,) = {pod["spec"]["nodeName"] for pod in operator_pods(product) if pod["metadata"]["name"] == name}
    zone = zones(product)[node]
    yield zone
    devcluster("zone", "up", zone)
    product.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=90s", timeout=100)


@pytest.fixture
def others(product: Product, lost: str) -> list[str]:
    """The zones that are left."""
    return sorted(set(zones(product).values()) - {lost})


@pytest.fixture
def refuge(make_place: Callable[..., Place], others: list[str]) -> Iterator[Place]:
    """A namespace with a client in a zone that is not lost."""
    made = make_place("e2e-outage", zone=others[0])
    yield made
    made.leave()


def test_the_loss_of_a_zone(refuge: Place, product: Product, lost: str, others: list[str]) -> None:
    place, where = refuge, zones(product)
    place.apply(NAME)
    place.serving(NAME)
    assert place.status(NAME)["zones"] == sorted([*others, lost])
    url = place.url(NAME)

    def speaks() -> bool:
        asked = speech(url, "还在", timeout=1)
        return any(answer.status == 200 for answer in place.client.send(*[asked] * ATTEMPTS))

    def replaced() -> bool:
        assert speaks()
        ready = [pod for pod in place.pods(NAME) if _is_ready(pod)]
        return len(ready) == 3 and lost not in {where[pod["spec"]["nodeName"]] for pod in ready}

    devcluster("zone", "down", lost)
    until("the lost pod is replaced", replaced, 120)
    until("the status names the zones that are left", lambda: place.status(NAME)["zones"] == others, 120)
    place.ready(NAME)
    answers = place.client.send(*[speech(url, "还在", timeout=10)] * 20)
    assert [answer.status for answer in answers] == [200] * 20

    devcluster("zone", "up", lost)
    until("the lost pod is gone for good", lambda: len(place.get("pods")["items"]) == 4, 120)
    place.serving(NAME)


def _is_ready(pod: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
