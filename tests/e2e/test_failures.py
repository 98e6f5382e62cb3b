"""What a TTSService says when its pods cannot run: the reason, and the cure."""

from __future__ import annotations

import pytest

from tests.e2e.place import SMALL, Place, until

pytestmark = pytest.mark.timeout(180, func_only=True)


def test_an_image_that_cannot_be_pulled(place: Place) -> None:
    place.apply("lost", replicas=1, image={"repository": "registry.invalid/nothing", "tag": "v1"})
    until(
        "the reason is told",
        lambda: place.condition("lost").get("reason") == "ImagePullBackOff",
        90,
        otherwise=lambda: place.status("lost"),
    )
    ready = place.condition("lost")
    assert ready["status"] == "False"
    assert "check image.repository, image.tag" in ready["message"]
    failure = place.status("lost")["lastFailure"]
    assert failure["reason"] == "ImagePullBackOff"
    assert failure["container"] == "server"
    assert failure["pod"].startswith("lost-")
    assert "registry.invalid/nothing:v1" in failure["message"]

    place.apply("lost", replicas=1)
    place.serving("lost")
    assert "lastFailure" not in place.status("lost")
    place.kubectl("delete", "tts", "lost")


@pytest.mark.parametrize("memory", ["32Mi", "64Mi"], ids=["kills-the-server", "kills-its-worker"])
def test_a_pod_without_enough_memory(place: Place, memory: str) -> None:
    name = f"starved-{memory.lower()}"
    amounts = {"requests": {"cpu": SMALL["requests"]["cpu"], "memory": memory}, "limits": {"memory": memory}}
    place.apply(name, replicas=1, resources=amounts)
    until(
        "the reason is told",
        lambda: place.status(name).get("lastFailure", {}).get("reason") == "OOMKilled",
        60,
        otherwise=lambda: place.status(name),
    )
    failure = place.status(name)["lastFailure"]
    assert failure["exitCode"] == 137
    assert failure["container"] == "server"
    until("the cure is told", lambda: "raise resources.limits.memory" in place.condition(name)["message"], 30)
    assert place.condition(name)["status"] == "False"
    place.kubectl("delete", "tts", name)


def test_a_secret_that_is_missing(place: Place) -> None:
    place.apply("keyless", replicas=1, server={"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}})
    # A slow kubelet says first that it still waits for the Secret.
    until(
        "the Secret is named",
        lambda: 'secret "keys" not found' in place.condition("keyless").get("message", ""),
        60,
        otherwise=lambda: place.status("keyless"),
    )
    condition = place.condition("keyless")
    assert condition["reason"] == "CreateContainerConfigError"
    assert "create the Secret, or correct its name and key in server.auth" in condition["message"]
    place.kubectl("create", "secret", "generic", "keys", "--from-literal=keys=letmein")
    place.ready("keyless")
    assert "lastFailure" not in place.status("keyless")
    place.kubectl("delete", "tts/keyless", "secret/keys")
