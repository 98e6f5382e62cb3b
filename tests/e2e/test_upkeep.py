"""What the operator keeps up: children that somebody deletes or edits, changes of the spec, its own end, the end."""

from __future__ import annotations

import json

import pytest

from devcluster.product import NAMESPACE, Product
from tests.e2e.client import speech
from tests.e2e.namespace import Namespace, operator_pods, until
from tests.e2e.operatorlog import OperatorLog

pytestmark = pytest.mark.timeout(500, func_only=True)
NAME = "narrator"
MOST = 900
"""Requests for a rollout: more than it takes on however slow a machine."""
CHILDREN = ("serviceaccount", "service", "poddisruptionbudget", "deployment")


@pytest.fixture
def narrator(ns: Namespace) -> Namespace:
    """A service of three pods that speaks; each test leaves one, or the next one makes another."""
    if not ns.get("tts", NAME):
        ns.apply(NAME)
    ns.wait_until_serving(NAME)
    return ns


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_deleted_child_is_back_and_the_service_speaks(narrator: Namespace, kind: str) -> None:
    before = narrator.get(kind, NAME)
    narrator.kubectl("delete", kind, NAME)

    def back() -> bool:
        now = narrator.get(kind, NAME)
        return bool(now) and now["metadata"]["uid"] != before["metadata"]["uid"]

    until(f"the {kind} is back", back, 60)
    now = narrator.get(kind, NAME)
    assert now["metadata"]["labels"] == before["metadata"]["labels"]
    assert now["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    deployment = f"deployment/{NAME}"
    narrator.kubectl("rollout", "status", deployment, "--timeout=120s", timeout=130)
    narrator.wait_until_serving(NAME)


def test_an_edit_is_undone_and_a_foreign_label_is_kept(narrator: Namespace) -> None:
    narrator.kubectl("label", "deployment", NAME, "team=speech")
    narrator.kubectl("patch", "service", NAME, "--type=merge", "-p", '{"spec":{"selector":{"app":"other"}}}')
    narrator.kubectl("patch", "deployment", NAME, "--type=merge", "-p", '{"spec":{"replicas":1}}')
    until("the replicas are as asked for", lambda: narrator.get("deployment", NAME)["spec"]["replicas"] == 3, 60)
    selector = {"app.kubernetes.io/name": "tts-server", "app.kubernetes.io/instance": NAME}
    until("the selector is ours", lambda: narrator.get("service", NAME)["spec"]["selector"] == selector, 60)
    assert narrator.get("deployment", NAME)["metadata"]["labels"]["team"] == "speech"
    narrator.wait_until_serving(NAME)


def test_a_change_of_the_spec_rolls_out_without_a_failed_request(narrator: Namespace) -> None:
    url = narrator.url(NAME)
    before = {pod["metadata"]["name"] for pod in narrator.pods(NAME)}
    asked = speech(url, "第#句话。")
    with narrator.client.constant_load(asked, rate=3, most=MOST) as load:
        narrator.apply(NAME, server={"maxInputCharacters": 50})
        narrator.wait_until_ready(NAME, seconds=150)
        until("the old pods are gone", lambda: not before & _all_pods(narrator), 120)
    assert load.result is not None
    assert load.result.failed == []
    assert 10 < load.result.sent < MOST  # it was under way all the time
    right, wrong = narrator.client.send(speech(url, "好" * 50), speech(url, "好" * 51))
    assert right.status == 200
    assert wrong.status == 400
    assert "the limit is 50" in wrong.json()["error"]["message"]


def _all_pods(ns: Namespace) -> set[str]:
    """The names of a service's pods, also of those that end."""
    items = ns.get("pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
    return {pod["metadata"]["name"] for pod in items}


def test_an_operator_that_is_killed_goes_on_where_it_was(
    narrator: Namespace, product: Product, operator_log: OperatorLog
) -> None:
    ns = narrator
    ns.apply(NAME, replicas=2, server={"logLevel": "warning"})
    with operator_log.of_terminating_leader() as pod:
        product.kubectl("-n", NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force")
    ns.apply(NAME, replicas=3, server={"logLevel": "debug"})
    ns.wait_until_serving(NAME, seconds=120)
    deployment = ns.get("deployment", NAME)
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "TTS_LOG_LEVEL", "value": "debug"} in variables


def test_nothing_is_left_of_a_deleted_service(narrator: Namespace) -> None:
    narrator.kubectl("delete", "tts", NAME)
    until("nothing is left", lambda: not narrator.leftovers(), 120, otherwise=narrator.leftovers)


def test_nothing_is_left_of_a_service_that_is_deleted_while_the_operator_is_away(
    narrator: Namespace, product: Product, operator_log: OperatorLog
) -> None:
    operator = ("-n", NAMESPACE, "scale", "deployment/tts-operator")
    try:
        with operator_log.of_terminating_leader():
            product.kubectl(*operator, "--replicas=0")
        until("the operator is away", lambda: not operator_pods(product), 120)
        narrator.kubectl("delete", "tts", NAME)
        until("nothing is left", lambda: not narrator.leftovers(), 120, otherwise=narrator.leftovers)
    finally:
        product.kubectl(*operator, "--replicas=2")
        product.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/tts-operator", "--timeout=180s", timeout=190)
    assert json.loads(narrator.kubectl("get", "tts", "-o", "json"))["items"] == []
    assert narrator.leftovers() == []
