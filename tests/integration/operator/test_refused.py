"""Bad input is refused by the API server itself, with a message that says what to write."""

from __future__ import annotations

from typing import Any

import pytest

from devcluster.errors import DevclusterError
from tests.integration.operator.world import World
from tts_operator.kube.errors import ApiError

LONG = "n" * 51

BAD = [
    ({"replica": 3}, "field not declared in schema"),
    ({"replicas": -1}, "should be greater than or equal to 0"),
    ({"replicas": "three"}, "spec.replicas: expected numeric"),
    ({"model": {"engine": "parrot"}}, 'supported values: "fastspeech2"'),
    ({"resources": {"limits": {"cpu": "500m"}}}, "resources.limits.cpu must be at least resources.requests.cpu"),
    ({"resources": {"requests": {"memory": "8Gi"}}}, "raise the limit or lower the request"),
    ({"resources": {"limits": {"cpu": "two"}}}, "resources.limits.cpu"),
    ({"image": {"repository": "r", "tag": "v1", "digest": "sha256:" + "a" * 64}}, "either image.tag or image.digest"),
    ({"image": {"tag": "v1"}}, "need image.repository"),
    ({"rollout": {"maxSurge": 0}}, "set maxSurge: 1"),
    ({"rollout": {"maxSurge": "0%", "maxUnavailable": "0%"}}, "nothing could ever be replaced"),
    ({"disruption": {"minAvailable": 1, "maxUnavailable": 1}}, "not both"),
    ({"disruption": {"minAvailable": 3}}, "set disruption.maxUnavailable: 1"),
    ({"server": {"maxInputCharacters": 0}}, "should be greater than or equal to 1"),
    ({"service": {"port": 70000}}, "should be less than or equal to 65535"),
    ({"placement": {"zoneSpread": {"maxSkew": 0}}}, "should be greater than or equal to 1"),
]


@pytest.mark.parametrize("spec, message", BAD, ids=[str(spec) for spec, _ in BAD])
async def test_a_bad_spec_is_refused(world: World, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        await world.apply("narrator", spec)
    assert message.lower() in caught.value.message.lower()


@pytest.mark.parametrize("name", [LONG, "1st", "with.dot"])
async def test_a_name_that_no_service_can_have_is_refused(world: World, name: str) -> None:
    with pytest.raises(ApiError, match=r"metadata\.name must start with a letter"):
        await world.apply(name)


async def test_kubectl_names_an_unknown_field(world: World) -> None:
    manifest = (
        '{"apiVersion":"tts-operator.io/v1alpha1","kind":"TTSService",'
        '"metadata":{"name":"narrator"},"spec":{"replica":3}}'
    )
    with pytest.raises(DevclusterError, match=r'unknown field "spec\.replica"'):
        world.product.kubectl("-n", world.namespace, "apply", "-f", "-", stdin=manifest)
