"""The API server itself rejects bad input, with a message that says what to write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from devcluster.errors import DevclusterError
from tests.integration.operator.world import World
from tts_operator.api.generate.crd import schema
from tts_operator.kube.errors import ApiError

LONG = "n" * 51
HUB = {"engine": "modelscope", "name": "damo/speech", "revision": "v1"}
ONE_NODE = {"accessModes": ["ReadWriteOnce"]}


def _canary(*weights: int) -> dict[str, Any]:
    return {"rollout": {"strategy": "Canary", "canary": {"steps": [{"weight": weight} for weight in weights]}}}


def _query(**bounds: Any) -> dict[str, Any]:
    asked = {"url": "http://monitoring:9090", "queries": [{"name": "errors", "query": "up", **bounds}]}
    return {"rollout": {"analysis": {"prometheus": asked}}}


BUCKET = {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}}
KAFKA = {"bootstrapServers": ["kafka:9092"]}


def _jobs(**fields: Any) -> dict[str, Any]:
    return {"jobs": {"storage": BUCKET, "kafka": KAFKA, **fields}}


def _bucket(**fields: Any) -> dict[str, Any]:
    return _jobs(storage={"s3": {**BUCKET["s3"], **fields}})


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
    ({"server": {"lexicon": {"configMapKeyRef": {"name": "w", "key": "a/b"}}}}, "lexicon.configMapKeyRef.key"),
    ({"rollout": {"maxSurge": 0}}, "set maxSurge: 1"),
    ({"rollout": {"maxSurge": "0%", "maxUnavailable": "0%"}}, "or no pod could ever be replaced"),
    ({"disruption": {"minAvailable": 1, "maxUnavailable": 1}}, "not both"),
    ({"disruption": {"minAvailable": 3}}, "set disruption.maxUnavailable: 1"),
    ({"server": {"maxInputCharacters": 0}}, "should be greater than or equal to 1"),
    ({"service": {"port": 70000}}, "should be less than or equal to 65535"),
    ({"placement": {"zoneSpread": {"maxSkew": 0}}}, "should be greater than or equal to 1"),
    ({"disruption": {"maxUnavailable": 0}}, "would block every drain of a node"),
    ({"resources": {"limits": {"memory": "1Gi"}}}, "resources.limits.memory must be at least"),
    ({"replicas": 5, "autoscaling": {}}, "replicas and autoscaling are mutually exclusive: remove replicas"),
    ({"disruption": {"minAvailable": 2}, "autoscaling": {}}, "must be below autoscaling.minReplicas"),
    ({"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}, "minReplicas must not exceed autoscaling.maxReplicas"),
    ({"autoscaling": {"targetCPUUtilizationPercentage": 0}}, "autoscaling.metrics must name another metric"),
    ({"autoscaling": {"metrics": [{"type": "Pods"}]}}, "must set exactly the field that its type names"),
    ({"autoscaling": {"metrics": [{"type": "Carrier", "pods": {}}]}}, "supported values"),
    ({"model": {"engine": "modelscope"}}, "needs model.name and model.revision"),
    ({"model": {"revision": "v1"}}, "have no effect with engine fastspeech2"),
    ({"model": {"voices": ["a"], "defaultVoice": "b"}}, "model.defaultVoice must be one of model.voices"),
    (
        {"model": {**HUB, "storage": {"emptyDir": {}, "persistentVolumeClaim": {}}}},
        "or model.storage.persistentVolumeC",
    ),
    ({"model": {**HUB, "storage": {"persistentVolumeClaim": ONE_NODE}}}, "serves the pods of one node only"),
    ({"ingress": {"tls": {"secretName": "tls"}}}, "ingress.tls needs ingress.host"),
    ({"ingress": {"host": "a.example", "tls": {}}}, "set either ingress.tls.secretName"),
    ({"ingress": {"host": "Not A Host"}}, "spec.ingress.host"),
    ({"gateway": {}}, "spec.gateway.parentRefs: required value"),
    ({"networkPolicy": {"ingressFrom": [{"podSelector": {}}]}}, "no effect without networkPolicy.enabled: true"),
    ({"networkPolicy": {"enabled": True, "ingressFrom": [{}]}}, "each peer of networkPolicy.ingressFrom is either"),
    ({"placement": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}, "Exists takes no value"),
    ({"placement": {"tolerations": [{"value": "b"}]}}, "a toleration without key needs operator: Exists"),
    ({"placement": {"tolerations": [{"key": "a", "tolerationSeconds": 1}]}}, "needs effect: NoExecute"),
    ({"placement": {"affinity": {"nodeAfinity": {}}}}, "field not declared in schema"),
    ({"rollout": {"strategy": "Bold"}}, 'supported values: "Rolling"'),
    ({"podTemplate": "text"}, "spec.podTemplate"),
    (_canary(50, 10), "the weights in rollout.canary.steps must increase from step to step"),
    (_canary(10, 10), "the weights in rollout.canary.steps must increase from step to step"),
    (_canary(10, 100), "a weight in rollout.canary.steps must be below 100"),
    (_canary(10, 81), "set the weights in rollout.canary.steps to 80 or less"),
    ({**_canary(81), "ingress": {"className": "traefik"}}, "set the weights in rollout.canary.steps to 80 or less"),
    (_canary(0), "should be greater than or equal to 1"),
    (_canary(), "should have at least 1 items"),
    (_canary(*range(1, 22)), "must have at most 20 items"),
    ({"rollout": {"canary": {}}}, "rollout.canary has no effect with this strategy: set rollout.strategy: Canary"),
    ({"rollout": {"strategy": "Canary", "blueGreen": {}}}, "rollout.blueGreen has no effect with this strategy"),
    (
        {"rollout": {"speechCheck": {"enabled": False, "texts": ["a"]}}},
        "rollout.speechCheck.texts has no effect without rollout.speechCheck.enabled: true",
    ),
    ({"rollout": {"speechCheck": {"texts": [""]}}}, "should be at least 1 chars long"),
    (
        {"server": {"maxInputCharacters": 5}, "rollout": {"speechCheck": {"texts": ["a", "longer"]}}},
        "a text in rollout.speechCheck.texts is longer than server.maxInputCharacters",
    ),
    (_query(), "each query of rollout.analysis.prometheus needs max, min, or both"),
    (_query(max="much"), "rollout.analysis.prometheus.queries[0].max"),
    ({"rollout": {"analysis": {"prometheus": {"url": "monitoring:9090", "queries": []}}}}, "prometheus.url"),
    ({"rollout": {"analysis": {"maxErrorRate": "1"}}}, "spec.rollout.analysis.maxErrorRate"),
    ({"monitoring": {"prometheusRule": {"enabled": True}}}, "set monitoring.podMonitor.enabled: true"),
    ({"monitoring": {"dashboard": {"folder": "/etc/grafana"}}}, "spec.monitoring.dashboard.folder"),
    ({"rollout": {"progressDeadlineSeconds": 9}}, "should be greater than or equal to 10"),
    ({"jobs": {}}, "spec.jobs.storage: required value"),
    (_jobs(storage={}), "set either jobs.storage.s3, a bucket that exists, or jobs.storage.persistentVolumeClaim"),
    (_jobs(storage={**BUCKET, "persistentVolumeClaim": {}}), "set either jobs.storage.s3, a bucket that exists, or"),
    (_bucket(credentialsSecretRef={}), "credentialsSecretRef.name: required value"),
    (_bucket(bucket="My_Books"), "spec.jobs.storage.s3.bucket"),
    (_bucket(prefix="a//b"), "spec.jobs.storage.s3.prefix"),
    (_bucket(prefix="a/../b"), "spec.jobs.storage.s3.prefix"),
    (_bucket(endpoint="https://user@minio:9000"), "spec.jobs.storage.s3.endpoint"),
    (_bucket(endpoint="https://minio:9000/path"), "spec.jobs.storage.s3.endpoint"),
    (_bucket(caSecretRef={"name": "ca", "key": "a/b"}), "caSecretRef.key"),
    (_jobs(storage={"persistentVolumeClaim": ONE_NODE}), "servers and workers share the volume of jobs"),
    (_jobs(storage={"persistentVolumeClaim": {"accessModes": ["ReadOnlyMany"]}}), "supported values"),
    (_jobs(kafka={}), "spec.jobs.kafka.bootstrapServers: required value"),
    (_jobs(kafka={"bootstrapServers": []}), "should have at least 1 items"),
    (_jobs(kafka={"bootstrapServers": ["kafka"]}), "spec.jobs.kafka.bootstrapServers[0]"),
    (_jobs(kafka={"bootstrapServers": ["kafka:9092,other:9092"]}), "spec.jobs.kafka.bootstrapServers[0]"),
    (_jobs(kafka={"bootstrapServers": ["kafka:9092"] * 17}), "must have at most 16 items"),
    (_jobs(kafka={**KAFKA, "topicPrefix": "a/b"}), "spec.jobs.kafka.topicPrefix"),
    (_jobs(kafka={**KAFKA, "sasl": {"mechanism": "GSSAPI", "secretRef": {"name": "u"}}}), "supported values"),
    (
        _jobs(kafka={**KAFKA, "sasl": {"mechanism": "PLAIN", "secretRef": {"name": "user"}}}),
        "jobs.kafka.sasl.mechanism PLAIN sends the password as it is: set jobs.kafka.tls",
    ),
    (_jobs(limits={"maxOpenJobs": 0}), "should be greater than or equal to 1"),
    (_jobs(retentionSeconds=59), "should be greater than or equal to 60"),
    (_jobs(webhooks={}), "spec.jobs.webhooks.hosts: required value"),
    (_jobs(webhooks={"hosts": ["https://hooks.example.com"]}), "spec.jobs.webhooks.hosts[0]"),
    (_jobs(webhooks={"hosts": ["a.example", "a.example"]}), "duplicate entries for key"),
    (_jobs(kafka={**KAFKA, "partitions": 0}), "should be greater than or equal to 1"),
    (_jobs(workers={"replicas": -1}), "should be greater than or equal to 0"),
    (_jobs(workers={"replicas": 4, "autoscaling": {}}), "remove replicas, because autoscaling.minReplicas and"),
    (
        _jobs(workers={"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}),
        "jobs.workers.autoscaling.minReplicas must not exceed jobs.workers.autoscaling.maxReplicas",
    ),
    (_jobs(workers={"autoscaling": {"minReplicas": -1}}), "should be greater than or equal to 0"),
    (_jobs(workers={"autoscaling": {"maxReplicas": 0}}), "should be greater than or equal to 1"),
    (_jobs(workers={"autoscaling": {"targetWaitingSeconds": 0}}), "should be greater than or equal to 1"),
    (_jobs(workers={"autoscaling": {"cooldownSeconds": 3601}}), "should be less than or equal to 3600"),
    (_jobs(workers={"resources": {"limits": {"cpu": "1m"}}}), "resources.limits.cpu must be at least"),
    ({"replicas": 1, "jobs": {"storage": BUCKET, "workers": {}}}, "jobs.workers get their work from Kafka"),
    ({"jobs": {"storage": BUCKET}}, "without jobs.kafka, one server at a time can have the jobs"),
    ({"replicas": 1, "jobs": {"storage": BUCKET}}, "rollout.maxSurge: 0, and rollout.maxUnavailable: 1"),
    (
        {**_jobs(), "model": {**HUB, "storage": {"persistentVolumeClaim": ONE_NODE}}},
        "workers of jobs need the model too",
    ),
]

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


@pytest.mark.parametrize("spec, message", BAD, ids=[str(spec) for spec, _ in BAD])
async def test_a_bad_spec_is_refused(world: World, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        await world.apply("narrator", spec)
    assert message.lower() in caught.value.message.lower()


@pytest.mark.parametrize(
    "spec",
    [
        _canary(80),
        {**_canary(99), "gateway": {"parentRefs": [{"name": "public"}]}},
        {**_canary(99), "ingress": {"className": "nginx-internal"}},
    ],
    ids=["by pods", "by a route", "by nginx"],
)
async def test_a_large_share_is_taken_where_no_pods_must_make_it(world: World, spec: dict[str, Any]) -> None:
    await world.apply("narrator", spec)


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
    await world.apply("narrator", _jobs(storage={"persistentVolumeClaim": CLAIM}))
    with pytest.raises(ApiError) as caught:
        await world.apply("narrator", _jobs(storage={"persistentVolumeClaim": claim}))
    assert message in caught.value.message


@pytest.mark.parametrize(
    "spec",
    [
        _jobs(),
        _jobs(storage={"persistentVolumeClaim": {}}),
        _jobs(workers={"autoscaling": {}}),
        _jobs(workers={"autoscaling": {"minReplicas": 0, "cooldownSeconds": 0}}),
        _bucket(endpoint="http://[fd00::1]:9000", prefix="books/of.2026/a_b-c"),
        _jobs(kafka={"bootstrapServers": ["[fd00::1]:9092", "10.0.0.1:9092", "b-1.kafka.svc:9092"], "tls": {}}),
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
    tested = [message for _, message in [*BAD, *CHANGES, *JOBS_CHANGES]] + ["metadata.name must start with a letter"]
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
