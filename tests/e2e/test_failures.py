"""What a TTSService says when its pods cannot run: the reason, and the cure."""

from __future__ import annotations

import pytest

from tests.e2e.namespace import SMALL, Namespace, until
from tts_operator.json_object import Json

pytestmark = [pytest.mark.timeout(400, func_only=True), pytest.mark.usefixtures("failing")]
STARVED = {"starved-server": "32Mi", "starved-worker": "64Mi"}
"""Services by what runs out of memory, and how much they get."""


@pytest.fixture(scope="module")
def repository(server_image: str) -> str:
    """The repository of the model server's image."""
    return server_image.rpartition(":")[0]


@pytest.fixture(scope="module")
def failing(ns: Namespace, repository: str) -> None:
    """The services of all tests: they fail side by side, while each test waits for its own."""
    ns.apply("lost", replicas=1, image={"repository": repository, "tag": "no-such-tag"})
    ns.apply("keyless", replicas=1, server={"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}})
    for name, memory in STARVED.items():
        amounts = {"requests": {"cpu": SMALL["requests"]["cpu"], "memory": memory}, "limits": {"memory": memory}}
        ns.apply(name, replicas=1, resources=amounts)


def test_an_image_that_cannot_be_pulled(ns: Namespace, repository: str) -> None:
    until(
        "the reason is told",
        lambda: ns.condition("lost").get("reason") == "ImagePullBackOff",
        90,
        otherwise=lambda: ns.status("lost"),
    )
    ready = ns.condition("lost")
    assert ready["status"] == "False"
    assert "check image.repository, image.tag" in ready["message"]
    failure = ns.status("lost")["lastFailure"]
    assert failure["reason"] == "ImagePullBackOff"
    assert failure["container"] == "server"
    assert failure["pod"].startswith("lost-")
    assert f"{repository}:no-such-tag" in failure["message"]

    ns.apply("lost", replicas=1)
    ns.wait_until_serving("lost")
    assert "lastFailure" not in ns.status("lost")
    ns.kubectl("delete", "tts", "lost")


@pytest.mark.parametrize("name", STARVED)
def test_a_pod_without_enough_memory(ns: Namespace, name: str) -> None:
    failure: Json = {}

    def killed() -> bool:
        failure.clear()
        failure.update(ns.status(name).get("lastFailure", {}))  # others may come after it
        return failure.get("reason") == "OOMKilled"

    until("the reason is told", killed, 120, otherwise=lambda: ns.status(name))
    assert failure["exitCode"] == 137
    assert failure["container"] == "server"
    ready: Json = {}

    def cured() -> bool:
        ready.clear()
        ready.update(ns.condition(name))
        return "raise resources.limits.memory" in ready.get("message", "")

    until("the cure is told", cured, 60, otherwise=lambda: ready)
    assert ready["status"] == "False"
    ns.kubectl("delete", "tts", name)


def test_a_secret_that_is_missing(ns: Namespace) -> None:
    # A slow kubelet says first that it still waits for the Secret.
    until(
        "the Secret is named",
        lambda: 'secret "keys" not found' in ns.condition("keyless").get("message", ""),
        120,
        otherwise=lambda: ns.status("keyless"),
    )
    condition = ns.condition("keyless")
    assert condition["reason"] == "CreateContainerConfigError"
    assert "create the Secret, or correct its name and key in server.auth" in condition["message"]
    ns.kubectl("create", "secret", "generic", "keys", "--from-literal=keys=letmein")
    ns.wait_until_ready("keyless")
    assert "lastFailure" not in ns.status("keyless")
    ns.kubectl("delete", "tts/keyless", "secret/keys")
