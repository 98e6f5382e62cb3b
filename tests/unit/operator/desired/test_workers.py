"""The workers of jobs: which revision they run, what differs from the servers, and that no client reaches them."""

from typing import Any

import pytest

from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, NOW, OPEN, service, world
from tts_operator.desired import children, children_of
from tts_operator.desired.revision import Revision, revisions_of, wanted_revision
from tts_operator.desired.service import service_
from tts_operator.desired.worker_scaling import WorkerScale
from tts_operator.desired.workloads import DesiredWorkloads, Traffic
from tts_operator.json_object import Json
from tts_operator.policy import Policy
from tts_operator.reconcile.plan import compare, decide

WORKER = f"{NAME}-worker"
BUCKET = {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}}
JOBS: Json = {"storage": BUCKET, "kafka": {"bootstrapServers": ["kafka:9092", "kafka-1:9092"]}}
TWO = WorkerScale(replicas=2, by_keda=True)


def jobs(**more: Any) -> Json:
    return {"jobs": {**JOBS, **more}}


def named(manifests: list[Json], kind: str, name: str) -> Json | None:
    return next((each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name)), None)


def deployment(spec: Json, name: str = WORKER) -> Json:
    found = named(children(service(spec), DEFAULTS), "Deployment", name)
    assert found is not None
    return found


def container(spec: Json, name: str = WORKER) -> Json:
    (found,) = deployment(spec, name)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(spec: Json, name: str = NAME) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(spec, name)["env"]}


def revision(spec: Json) -> Revision:
    return wanted_revision(service(spec), DEFAULTS.image, ())


@pytest.mark.parametrize("spec", [{}, {"jobs": {"storage": BUCKET}, "replicas": 1}], ids=["no jobs", "no Kafka"])
def test_without_kafka_there_are_no_workers(spec: Json) -> None:
    assert not [each for each in children(service(spec), DEFAULTS) if each["metadata"]["name"] == WORKER]


def test_a_worker_is_the_server_but_for_its_command_and_its_name() -> None:
    server, worker = container(jobs(), NAME), container(jobs())
    instance = {"name": "TTS_KAFKA_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert worker == {**server, "args": ["work"], "env": [*server["env"], instance]}


def test_the_settings_name_nothing_that_another_service_has() -> None:
    found = environment(jobs())
    assert found["TTS_JOBS_STORAGE"] == f"s3://books/{NAMESPACE}/{NAME}"
    assert found["TTS_KAFKA_TOPIC_PREFIX"] == f"{NAMESPACE}.{NAME}"
    assert found["TTS_KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092,kafka-1:9092"


def test_without_a_secret_pods_have_the_role_of_their_service_account() -> None:
    secret, role = environment(jobs()), environment(jobs(storage={"s3": {"bucket": "books"}}))
    assert secret["AWS_ACCESS_KEY_ID"] == {"secretKeyRef": {"name": "books", "key": "AWS_ACCESS_KEY_ID"}}
    assert "AWS_ACCESS_KEY_ID" not in role
    assert role["AWS_EC2_METADATA_DISABLED"] == "true"


@pytest.mark.parametrize(
    "kafka, protocol",
    [
        ({}, "plaintext"),
        ({"tls": {}}, "ssl"),
        ({"sasl": {"secretRef": {"name": "user"}}}, "sasl_plaintext"),
        ({"tls": {"caSecretRef": {"name": "ca", "key": "a"}}, "sasl": {"secretRef": {"name": "user"}}}, "sasl_ssl"),
    ],
)
def test_how_to_connect_to_the_brokers(kafka: Json, protocol: str) -> None:
    found = environment(jobs(kafka={**JOBS["kafka"], **kafka}))
    assert found["TTS_KAFKA_SECURITY_PROTOCOL"] == protocol
    assert ("TTS_KAFKA_CA_FILE" in found) is ("caSecretRef" in kafka.get("tls", {}))
    password = found.get("TTS_KAFKA_PASSWORD")
    assert password == ({"secretKeyRef": {"name": "user", "key": "password"}} if "sasl" in kafka else None)


def test_no_service_selects_a_worker() -> None:
    labels = deployment(jobs())["spec"]["template"]["metadata"]["labels"]
    server = deployment(jobs(), NAME)["spec"]["template"]["metadata"]["labels"]
    for traffic in Traffic:
        selector = service_(service(jobs()), traffic)["spec"]["selector"]
        assert not selector.items() <= labels.items(), traffic
    assert service_(service(jobs()), Traffic.BOTH)["spec"]["selector"].items() <= server.items()


def test_only_its_own_objects_select_a_worker() -> None:
    spec = {**jobs(), "monitoring": {"podMonitor": {"enabled": True}}, "networkPolicy": {"enabled": True}}
    found = children(service(spec), DEFAULTS)
    labels = deployment(spec)["spec"]["template"]["metadata"]["labels"]
    selecting = set()
    for each in found:
        asked = each.get("spec", {})
        selector = asked.get("podSelector", asked.get("selector", {})).get("matchLabels")
        if selector and selector.items() <= labels.items():
            selecting.add((each["kind"], each["metadata"]["name"]))
    own = {(kind, WORKER) for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor")}
    assert selecting == own | {("NetworkPolicy", NAME)}


def test_workers_are_spread_among_themselves() -> None:
    template = deployment(jobs())["spec"]["template"]
    spread = template["spec"]["topologySpreadConstraints"]
    assert spread
    for each in spread:
        assert each["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


def test_resources_and_placement_of_their_own() -> None:
    resources = {"requests": {"cpu": "4", "memory": "2Gi"}, "limits": {"cpu": "4", "memory": "3Gi"}}
    workers = {"resources": resources, "placement": {"nodeSelector": {"pool": "batch"}}}
    spec = {**jobs(workers=workers), "placement": {"nodeSelector": {"disk": "fast"}, "priorityClassName": "first"}}
    assert container(spec)["resources"] == resources
    pod = deployment(spec)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"pool": "batch"}
    assert "priorityClassName" not in pod
    assert {each["whenUnsatisfiable"] for each in pod["topologySpreadConstraints"]} == {"ScheduleAnyway"}


def test_pod_template_reaches_workers_whatever_it_contains() -> None:
    sidecar = {"name": "log", "image": "a.example/log"}
    odd = {"spec": {"containers": [{"name": "server", "env": None, "args": ["serve"]}, sidecar]}}
    server, other = deployment({**jobs(), "podTemplate": odd}, NAME)["spec"]["template"]["spec"]["containers"]
    assert "env" not in server
    assert other["name"] == "log"
    assert deployment({**jobs(), "podTemplate": {"spec": {"containers": [sidecar]}}})["spec"]["template"]["spec"][
        "containers"
    ][1:] == [other]


def test_a_name_in_the_group_is_the_pod_s_own() -> None:
    """Two workers of one name would throw each other out, and a container with two variables of one name is refused."""
    env = [{"name": "TTS_KAFKA_INSTANCE", "value": "one-for-all"}]
    spec = {**jobs(), "podTemplate": {"spec": {"containers": [{"name": "server", "env": env}]}}}
    names = [each["name"] for each in container(spec)["env"]]
    assert names.count("TTS_KAFKA_INSTANCE") == 1
    assert environment(spec, WORKER)["TTS_KAFKA_INSTANCE"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_workers_do_not_make_a_revision() -> None:
    before = revision(jobs())
    assert revision(jobs(workers={"replicas": 7, "placement": {"nodeSelector": {"a": "b"}}})) == before
    assert revision(jobs(retentionSeconds=60)).template_hash != before.template_hash
    assert revision({}).template_hash != before.template_hash


def scaled(spec: Json, *, keda: bool) -> dict[str, Json]:
    """The autoscalers of the workers, by kind."""
    made = children(service(spec), DEFAULTS, keda=keda)
    kinds = ("ScaledObject", "HorizontalPodAutoscaler")
    return {each["kind"]: each for each in made if each["kind"] in kinds and each["metadata"]["name"] == WORKER}


def test_keda_scales_workers_by_what_a_server_says_that_waits() -> None:
    asked = {"minReplicas": 0, "maxReplicas": 7, "targetWaitingSeconds": 120, "cooldownSeconds": 60}
    spec = {**jobs(workers={"autoscaling": asked}), "service": {"port": 8080}}
    (found,) = (each["spec"] for each in scaled(spec, keda=True).values())
    assert found["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": WORKER}
    assert (found["minReplicaCount"], found["maxReplicaCount"]) == (0, 7)
    assert (found["cooldownPeriod"], found["initialCooldownPeriod"]) == (60, 60)
    assert found["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == {
        "scaleDown": {"stabilizationWindowSeconds": 60}
    }
    (trigger,) = found["triggers"]
    assert (trigger["type"], trigger["metricType"]) == ("metrics-api", "AverageValue")
    assert trigger["metadata"] == {
        "url": f"http://{NAME}.{NAMESPACE}.svc:8080/metrics",
        "format": "prometheus",
        "valueLocation": "tts_job_waiting_seconds",
        "targetValue": "120",
    }


def test_the_service_is_asked_inside_the_cluster_whatever_clients_use() -> None:
    spec = {**jobs(workers={"autoscaling": {}}), "ingress": {"host": "speech.example.com", "className": "nginx"}}
    (found,) = scaled(spec, keda=True).values()
    assert found["spec"]["triggers"][0]["metadata"]["url"] == f"http://{NAME}.{NAMESPACE}.svc/metrics"


def test_without_keda_workers_are_scaled_by_cpu_and_never_to_zero() -> None:
    spec = jobs(workers={"autoscaling": {"minReplicas": 0, "cooldownSeconds": 60}})
    found = scaled(spec, keda=False)
    assert found.keys() == {"HorizontalPodAutoscaler"}
    asked = found["HorizontalPodAutoscaler"]["spec"]
    assert (asked["scaleTargetRef"]["name"], asked["minReplicas"], asked["maxReplicas"]) == (WORKER, 1, 10)
    assert asked["metrics"][0]["resource"]["name"] == "cpu"
    assert asked["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 60}}


@pytest.mark.parametrize("keda", [True, False])
def test_workers_without_autoscaling_have_no_autoscaler(keda: bool) -> None:
    assert scaled({**jobs(), "autoscaling": {}}, keda=keda) == {}


def test_the_first_worker_finds_out_whether_jobs_can_be_spoken() -> None:
    assert deployment(jobs(workers={"autoscaling": {"minReplicas": 0}}))["spec"]["replicas"] == 1
    assert deployment(jobs(workers={"autoscaling": {"minReplicas": 3}}))["spec"]["replicas"] == 3


def test_a_revision_from_before_jobs_has_no_workers() -> None:
    workloads = DesiredWorkloads(revision=revision({}), replicas=3)
    assert named(children_of(service(jobs()), workloads, DEFAULTS, TWO), "Deployment", WORKER) is None


def test_a_spec_without_jobs_has_no_workers_whatever_still_runs() -> None:
    workloads = DesiredWorkloads(revision=revision(jobs()), replicas=3)
    assert named(children_of(service({}), workloads, DEFAULTS, TWO), "Deployment", WORKER) is None


def test_during_a_rollout_workers_stay_at_the_stable_revision() -> None:
    """The candidate's Deployment gets the new revision, and the workers keep the old one until it is promoted."""
    old = service(jobs())
    observed = world(old)
    (before,) = revisions_of(observed.history(old))
    status = {"currentRevision": before.name, "observedGeneration": 1}
    new = service({**jobs(), "server": {"maxInputCharacters": 900}}, status=status, generation=2)
    decision = decide(new, observed, DEFAULTS, OPEN.for_namespace(NAMESPACE, DEFAULTS.image), now=NOW)
    plan = compare(new, observed, decision, DEFAULTS, OPEN.for_namespace(NAMESPACE, DEFAULTS.image))
    assert named(list(plan.apply), "Deployment", f"{NAME}-candidate") is not None
    assert named(list(plan.apply), "Deployment", WORKER) is None
    assert not plan.delete


@pytest.mark.parametrize("phase", ["CheckingInPlace", "Promoting", "RolledBack"])
def test_a_revision_that_is_not_rolled_out_completely_does_not_reach_the_workers(phase: str) -> None:
    """Although the stable Deployment has it already, or, with maxSurge: 0, before its check."""
    stop_first = {"rollout": {"maxSurge": 0, "maxUnavailable": 1, "speechCheck": {"enabled": False}}}
    old = service({**jobs(), **stop_first})
    observed = world(old)
    (before,) = revisions_of(observed.history(old))
    asked = {**jobs(), **stop_first, "server": {"maxInputCharacters": 900}}
    state = {"revision": revision(asked).name, "phase": phase, "startTime": NOW, "since": NOW}
    status = {"currentRevision": before.name, "observedGeneration": 1, "rollout": state}
    new = service(asked, status=status, generation=2)
    bounds = OPEN.for_namespace(NAMESPACE, DEFAULTS.image)
    plan = compare(new, observed, decide(new, observed, DEFAULTS, bounds, now=NOW), DEFAULTS, bounds)
    assert (named(list(plan.apply), "Deployment", NAME) is None) is (phase == "RolledBack")
    assert named(list(plan.apply), "Deployment", WORKER) is None


@pytest.mark.parametrize("workers", [{}, {"replicas": 5}], ids=["the same workers", "other workers"])
def test_workers_that_are_no_longer_allowed_do_not_hold_up_a_corrected_spec(workers: Json) -> None:
    """They start no pods anew, and stay as they are until the corrected revision is stable."""
    old = service({**jobs(), "podTemplate": {"spec": {"hostPID": True}}})
    observed = world(old)
    (before,) = revisions_of(observed.history(old))
    status = {"currentRevision": before.name, "observedGeneration": 1}
    resources = {"resources": {"limits": {"cpu": "3"}}} if workers else {}
    new = service(jobs(workers={**workers, **resources}), status=status, generation=2)
    bounds = Policy().for_namespace(NAMESPACE, DEFAULTS.image)
    plan = compare(new, observed, decide(new, observed, DEFAULTS, bounds, now=NOW), DEFAULTS, bounds)
    assert not plan.violation
    assert named(list(plan.apply), "Deployment", f"{NAME}-candidate") is not None
    assert named(list(plan.apply), "Deployment", WORKER) is None
    assert not plan.delete


def test_jobs_that_are_removed_take_their_workers_along_and_keep_the_volume_until_no_pod_has_it() -> None:
    claim = {"jobs": {**JOBS, "storage": {"persistentVolumeClaim": {}}}}
    old = service(claim)
    observed = world(old)
    (before,) = revisions_of(observed.history(old))
    status = {"currentRevision": before.name, "observedGeneration": 1}
    new = service({}, status=status, generation=2)
    bounds = OPEN.for_namespace(NAMESPACE, DEFAULTS.image)
    plan = compare(new, observed, decide(new, observed, DEFAULTS, bounds, now=NOW), DEFAULTS, bounds)
    deleted = {(each["kind"], each["metadata"]["name"]) for each in plan.delete}
    assert deleted == {("Deployment", WORKER), ("PodDisruptionBudget", WORKER)}
