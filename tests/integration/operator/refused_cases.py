"""Specs that the CRD's schema refuses, each with a part of the message."""

from __future__ import annotations

from typing import Any

LONG = "n" * 51
HUB = {"engine": "modelscope", "name": "damo/speech", "revision": "v1"}
ONE_NODE = {"accessModes": ["ReadWriteOnce"]}


def canary(*weights: int) -> dict[str, Any]:
    return {"rollout": {"strategy": "Canary", "canary": {"steps": [{"weight": weight} for weight in weights]}}}


def query(**bounds: Any) -> dict[str, Any]:
    asked = {"url": "http://monitoring:9090", "queries": [{"name": "errors", "query": "up", **bounds}]}
    return {"rollout": {"analysis": {"prometheus": asked}}}


BUCKET = {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}}
KAFKA = {"bootstrapServers": ["kafka:9092"]}


def jobs(**fields: Any) -> dict[str, Any]:
    return {"jobs": {"storage": BUCKET, "kafka": KAFKA, **fields}}


def bucket(**fields: Any) -> dict[str, Any]:
    return jobs(storage={"s3": {**BUCKET["s3"], **fields}})


RUNS = {"image": "registry.example.com/kokoro:v1"}
"""A container of a backend."""


def upstream(*, container: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A spec with an upstream that the operator runs."""
    return {"backend": {"upstream": {"voices": [{"name": "a"}], "container": {**RUNS, **(container or {})}}, **fields}}


def elsewhere(**fields: Any) -> dict[str, Any]:
    """A spec with an upstream at a URL."""
    return {"backend": {"upstream": {"voices": [{"name": "a"}], "url": "http://kokoro:8880/v1", **fields}}}


def triton(**fields: Any) -> dict[str, Any]:
    """A spec with a Triton."""
    return {"backend": {"triton": fields}}


SCALED = {"metrics": [{"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization"}}}]}
BAD_BACKENDS = [
    ({"backend": {}}, "set either backend.upstream, a server with OpenAI's speech API, or backend.triton"),
    (
        {"backend": {**upstream()["backend"], **triton(container=RUNS)["backend"]}},
        "set either backend.upstream, a server",
    ),
    ({"backend": {"upstream": {"voices": [{"name": "a"}]}}}, "set either backend.upstream.container, which"),
    (elsewhere(container=RUNS), "set either backend.upstream.container, which"),
    (elsewhere(voices=[]), "spec.backend.upstream.voices"),
    (elsewhere(voices=[{"name": "a"}, {"name": "a"}]), "duplicate"),
    (elsewhere(voices=[{"name": "a", "language": "Chinese!"}]), "language"),
    (elsewhere(url="kokoro:8880"), "spec.backend.upstream.url"),
    (elsewhere(url="http://me:secret@kokoro/v1"), "spec.backend.upstream.url"),
    (elsewhere(url="http://kokoro/v1?key=1"), "spec.backend.upstream.url"),
    (elsewhere(caSecretRef={"name": "ca", "key": "ca.crt"}), "needs a backend.upstream.url that begins with https://"),
    (elsewhere(readinessPath="health"), "spec.backend.upstream.readinessPath"),
    (elsewhere(responseFormat="mp3"), "supported values"),
    (elsewhere(sampleRate=4000), "should be greater than or equal to 8000"),
    (elsewhere(maxConcurrentRequests=0), "should be greater than or equal to 1"),
    (elsewhere(model="$(HOME)"), "spec.backend.upstream.model"),
    (elsewhere(revision="a b"), "spec.backend.upstream.revision"),
    ({**elsewhere(), "model": {"voices": ["a"]}}, "the voices of an upstream are those of backend.upstream.voices"),
    (
        {**elsewhere(), "model": {"engine": "modelscope", "name": "a", "revision": "1"}},
        "with backend.upstream, model.engine makes no sound",
    ),
    (
        {**triton(container=RUNS, repository={}), "model": {"engine": "modelscope", "name": "a", "revision": "1"}},
        "backend.triton.repository has the bundled voice",
    ),
    (triton(url="grpc://triton:8001", caSecretRef={"name": "ca", "key": "a"}), "a backend.triton.url that begins with"),
    (triton(url="grpc://t:1", apiKeySecretRef={"name": "key", "key": "a"}), "or everyone could read the key"),
    (triton(url="grpcs://t:1", apiKeyHeader="A: b"), "spec.backend.triton.apiKeyHeader"),
    ({"backend": {"mode": "Separate", **elsewhere()["backend"]}}, "backend.mode Separate needs a container"),
    ({"backend": {"volumes": [{"name": "a", "emptyDir": {}}], **elsewhere()["backend"]}}, "need a container"),
    (triton(), "set either backend.triton.container, which"),
    (triton(url="http://triton:8000"), "spec.backend.triton.url"),
    (triton(url="grpc://triton:8001", repository={}), "backend.triton.repository needs backend.triton.container"),
    (triton(container=RUNS, repository={"maxBatchSize": 0}), "should be greater than or equal to 1"),
    (
        {
            "backend": {
                "volumes": [{"name": "a", "emptyDir": {}}],
                "triton": {
                    "container": {**RUNS, "volumeMounts": [{"name": "a", "mountPath": "/models"}]},
                    "repository": {},
                },
            }
        },
        "backend.triton.repository is mounted at /models",
    ),
    (triton(container=RUNS, acousticModel="../secret"), "spec.backend.triton.acousticModel"),
    (upstream(replicas=2), "need backend.mode: Separate. A sidecar runs in each pod"),
    (
        upstream(mode="Separate", replicas=2, autoscaling=SCALED),
        "backend.replicas and backend.autoscaling are mutually",
    ),
    (upstream(mode="Separate", autoscaling={}), "spec.backend.autoscaling.metrics: required value"),
    (
        upstream(mode="Separate", autoscaling={**SCALED, "minReplicas": 5, "maxReplicas": 4}),
        "backend.autoscaling.minReplicas must not exceed",
    ),
    (upstream(container={"port": 7860}), "port 7860 of the pod is that of the service's own server"),
    (upstream(container={"port": 70000}), "should be less than or equal to 65535"),
    (upstream(container={"image": "a b"}), "spec.backend.upstream.container.image"),
    (upstream(container={"runAsUser": 0}), "should be greater than or equal to 1"),
    (upstream(container={"volumeMounts": [{"name": "a", "mountPath": "/a"}]}), "must be one of backend.volumes"),
    (upstream(container={"volumeMounts": [{"name": "a", "mountPath": "a"}]}), "mountPath"),
    (upstream(container={"resources": {"claims": [{"name": "a"}]}}), "must be one of backend.resourceClaims"),
    (upstream(container={"resources": {"limits": {"nvidia.com/gpu": -1}}}), "nvidia.com/gpu"),
    (upstream(container={"env": [{"name": "A", "value": "1", "valueFrom": {}}]}), "either a value or valueFrom"),
    (upstream(container={"env": [{"name": "A", "valueFrom": {}}]}), "needs either secretKeyRef or configMapKeyRef"),
    (upstream(container={"securityContext": {"privileged": True}}), "field not declared in schema"),
    (upstream(volumes=[{"name": "a"}]), "exactly one of persistentVolumeClaim, image, or emptyDir"),
    (upstream(volumes=[{"name": "a", "hostPath": {"path": "/"}}]), "field not declared in schema"),
    (upstream(resourceClaims=[{"name": "gpu"}]), "has either resourceClaimName, which all pods share, or"),
]

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
    (canary(50, 10), "the weights in rollout.canary.steps must increase from step to step"),
    (canary(10, 10), "the weights in rollout.canary.steps must increase from step to step"),
    (canary(10, 100), "a weight in rollout.canary.steps must be below 100"),
    (canary(10, 81), "set the weights in rollout.canary.steps to 80 or less"),
    ({**canary(81), "ingress": {"className": "traefik"}}, "set the weights in rollout.canary.steps to 80 or less"),
    (canary(0), "should be greater than or equal to 1"),
    (canary(), "should have at least 1 items"),
    (canary(*range(1, 22)), "must have at most 20 items"),
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
    (query(), "each query of rollout.analysis.prometheus needs max, min, or both"),
    (query(max="much"), "rollout.analysis.prometheus.queries[0].max"),
    ({"rollout": {"analysis": {"prometheus": {"url": "monitoring:9090", "queries": []}}}}, "prometheus.url"),
    ({"rollout": {"analysis": {"maxErrorRate": "1"}}}, "spec.rollout.analysis.maxErrorRate"),
    ({"monitoring": {"prometheusRule": {"enabled": True}}}, "set monitoring.podMonitor.enabled: true"),
    ({"rollout": {"progressDeadlineSeconds": 9}}, "should be greater than or equal to 10"),
    ({"jobs": {}}, "spec.jobs.storage: required value"),
    (jobs(storage={}), "set either jobs.storage.s3, a bucket that exists, or jobs.storage.persistentVolumeClaim"),
    (jobs(storage={**BUCKET, "persistentVolumeClaim": {}}), "set either jobs.storage.s3, a bucket that exists, or"),
    (bucket(credentialsSecretRef={}), "credentialsSecretRef.name: required value"),
    (bucket(bucket="My_Books"), "spec.jobs.storage.s3.bucket"),
    (bucket(prefix="a//b"), "spec.jobs.storage.s3.prefix"),
    (bucket(prefix="a/../b"), "spec.jobs.storage.s3.prefix"),
    (bucket(endpoint="https://user@minio:9000"), "spec.jobs.storage.s3.endpoint"),
    (bucket(endpoint="https://minio:9000/path"), "spec.jobs.storage.s3.endpoint"),
    (bucket(caSecretRef={"name": "ca", "key": "a/b"}), "caSecretRef.key"),
    (jobs(storage={"persistentVolumeClaim": ONE_NODE}), "servers and workers share the volume of jobs"),
    (jobs(storage={"persistentVolumeClaim": {"accessModes": ["ReadOnlyMany"]}}), "supported values"),
    (jobs(kafka={}), "spec.jobs.kafka.bootstrapServers: required value"),
    (jobs(kafka={"bootstrapServers": []}), "should have at least 1 items"),
    (jobs(kafka={"bootstrapServers": ["kafka"]}), "spec.jobs.kafka.bootstrapServers[0]"),
    (jobs(kafka={"bootstrapServers": ["kafka:9092,other:9092"]}), "spec.jobs.kafka.bootstrapServers[0]"),
    (jobs(kafka={"bootstrapServers": ["kafka:9092"] * 17}), "must have at most 16 items"),
    (jobs(kafka={**KAFKA, "topicPrefix": "a/b"}), "spec.jobs.kafka.topicPrefix"),
    (jobs(kafka={**KAFKA, "sasl": {"mechanism": "GSSAPI", "secretRef": {"name": "u"}}}), "supported values"),
    (
        jobs(kafka={**KAFKA, "sasl": {"mechanism": "PLAIN", "secretRef": {"name": "user"}}}),
        "jobs.kafka.sasl.mechanism PLAIN sends the password as it is: set jobs.kafka.tls",
    ),
    (jobs(limits={"maxOpenJobs": 0}), "should be greater than or equal to 1"),
    (jobs(retentionSeconds=59), "should be greater than or equal to 60"),
    (jobs(webhooks={}), "spec.jobs.webhooks.hosts: required value"),
    (jobs(webhooks={"hosts": ["https://hooks.example.com"]}), "spec.jobs.webhooks.hosts[0]"),
    (jobs(webhooks={"hosts": ["a.example", "a.example"]}), "duplicate entries for key"),
    (jobs(kafka={**KAFKA, "partitions": 0}), "should be greater than or equal to 1"),
    (jobs(workers={"replicas": -1}), "should be greater than or equal to 0"),
    (jobs(workers={"replicas": 4, "autoscaling": {}}), "remove replicas, because autoscaling.minReplicas and"),
    (
        jobs(workers={"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}),
        "jobs.workers.autoscaling.minReplicas must not exceed jobs.workers.autoscaling.maxReplicas",
    ),
    (jobs(workers={"autoscaling": {"minReplicas": -1}}), "should be greater than or equal to 0"),
    (jobs(workers={"autoscaling": {"maxReplicas": 0}}), "should be greater than or equal to 1"),
    (jobs(workers={"autoscaling": {"targetWaitingSeconds": 0}}), "should be greater than or equal to 1"),
    (jobs(workers={"autoscaling": {"cooldownSeconds": 3601}}), "should be less than or equal to 3600"),
    (jobs(workers={"resources": {"limits": {"cpu": "1m"}}}), "resources.limits.cpu must be at least"),
    ({"replicas": 1, "jobs": {"storage": BUCKET, "workers": {}}}, "jobs.workers get their work from Kafka"),
    ({"jobs": {"storage": BUCKET}}, "without jobs.kafka, one server at a time can have the jobs"),
    ({"replicas": 1, "jobs": {"storage": BUCKET}}, "rollout.maxSurge: 0, and rollout.maxUnavailable: 1"),
    (
        {**jobs(), "model": {**HUB, "storage": {"persistentVolumeClaim": ONE_NODE}}},
        "workers of jobs need the model too",
    ),
    ({"monitoring": {"dashboard": {"folder": "/etc/grafana"}}}, "spec.monitoring.dashboard.folder"),
    *(
        ({"monitoring": {"objectives": {"availability": {"target": wrong}}}}, "write a percentage from 95% to 99.99%")
        for wrong in ("100%", "94.9%", "99.991%", "0.999", "99,9%")
    ),
    (
        {"monitoring": {"objectives": {"latency": {"firstAudioMilliseconds": 1500}}}},
        "write one of 100, 200, 400, 600, 800, 1000, 1200, 1600, 2000, 3000, 5000, 10000, or 30000",
    ),
]
