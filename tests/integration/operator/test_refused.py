"""The API server itself rejects bad input, with a message that says what to write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.errors import DevclusterError
from tests.integration.operator.refused_cases import BAD, BAD_BACKENDS, HUB, LONG, ONE_NODE, bucket, canary, jobs
from tests.integration.operator.world import World
from tts_operator.api.object_schema import schema
from tts_operator.kube.errors import ApiError

GOLDEN = Path(__file__).parents[2] / "unit/operator/golden/specs"
CLAIM = {"size": "5Gi"}
"""A volume for jobs."""
JOBS_CHANGES = [
    ({"size": "1Gi"}, "jobs.storage.persistentVolumeClaim.size can only grow"),
    ({**CLAIM, "storageClassName": "other"}, "remove spec.jobs, wait until the TTSService is Ready"),
]

CHANGES = [
    ({"size": "1Gi"}, "model.storage.persistentVolumeClaim.size can only grow"),
    ({"size": "9Gi", "storageClassName": "other"}, "storageClassName and accessModes of a claim cannot change"),
]


@pytest.mark.parametrize("spec, message", [*BAD, *BAD_BACKENDS], ids=str)
async def test_a_bad_spec_is_refused(world: World, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        await world.apply("narrator", spec)
    assert message.lower() in caught.value.message.lower()


@pytest.mark.parametrize(
    "spec",
    [
        canary(80),
        {**canary(99), "gateway": {"parentRefs": [{"name": "public"}]}},
        {**canary(99), "ingress": {"className": "nginx-internal"}},
    ],
    ids=["by pods", "by a route", "by nginx"],
)
async def test_a_large_share_is_taken_where_no_pods_must_make_it(world: World, spec: dict[str, Any]) -> None:
    await world.apply("narrator", spec)


@pytest.mark.parametrize("name", ["separate", "sidecar", "elsewhere", "triton-elsewhere"])
async def test_backends_are_taken(world: World, name: str) -> None:
    await world.apply("narrator", yaml.safe_load((GOLDEN / f"backend-{name}.yaml").read_text()))


@pytest.mark.parametrize("claim, message", CHANGES, ids=[message for _, message in CHANGES])
async def test_a_change_that_cannot_be_made_is_refused(world: World, claim: dict[str, Any], message: str) -> None:
    await world.apply("narrator", {"model": {**HUB, "storage": {"persistentVolumeClaim": {"size": "5Gi"}}}})
    with pytest.raises(ApiError) as caught:
        await world.apply("narrator", {"model": {**HUB, "storage": {"persistentVolumeClaim": claim}}})
    assert message in caught.value.message


@pytest.mark.parametrize("claim, message", JOBS_CHANGES, ids=[message for _, message in JOBS_CHANGES])
async def test_a_change_of_the_volume_for_jobs_that_cannot_be_made(
    world: World, claim: dict[str, Any], message: str
) -> None:
    await world.apply("narrator", jobs(storage={"persistentVolumeClaim": CLAIM}))
    with pytest.raises(ApiError) as caught:
        await world.apply("narrator", jobs(storage={"persistentVolumeClaim": claim}))
    assert message in caught.value.message


@pytest.mark.parametrize(
    "spec",
    [
        jobs(),
        jobs(storage={"persistentVolumeClaim": {}}),
        jobs(workers={"autoscaling": {}}),
        jobs(workers={"autoscaling": {"minReplicas": 0, "cooldownSeconds": 0}}),
        bucket(endpoint="http://[fd00::1]:9000", prefix="books/of.2026/a_b-c"),
        jobs(kafka={"bootstrapServers": ["[fd00::1]:9092", "10.0.0.1:9092", "b-1.kafka.svc:9092"], "tls": {}}),
        {
            "replicas": 1,
            "rollout": {"maxSurge": 0, "maxUnavailable": 1},
            "jobs": {"storage": {"persistentVolumeClaim": ONE_NODE}},
        },
    ],
    ids=["a bucket", "a volume", "autoscaling", "to zero", "an endpoint", "brokers", "one server"],
)
async def test_jobs_are_taken(world: World, spec: dict[str, Any]) -> None:
    await world.apply("narrator", spec)


def test_every_rule_is_tested() -> None:
    tested = [message for _, message in [*BAD, *BAD_BACKENDS, *CHANGES, *JOBS_CHANGES]] + [
        "metadata.name must start with a letter"
    ]
    untested = [rule["message"] for rule in _rules(schema()) if not any(text in rule["message"] for text in tested)]
    assert not untested


def _rules(node: Any) -> Iterator[dict[str, str]]:
    """All CEL rules of a schema."""
    if isinstance(node, dict):
        yield from node.get("x-kubernetes-validations", ())
        for child in node.values():
            yield from _rules(child)


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
