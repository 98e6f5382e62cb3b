"""Inputs for decisions: a TTSService, its children as the operator left them, and its pods."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from tts_operator.api import TTSService
from tts_operator.desired import Defaults, children
from tts_operator.desired.revision import Revision, inputs
from tts_operator.desired.workloads import DesiredWorkloads
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.objects import Pod
from tts_operator.policy import Policy
from tts_operator.reconcile.observed.snapshot import Observed, address
from tts_operator.reconcile.plan import Plan, compare, decide
from tts_operator.reconcile.rollout.decision import RolloutDecision

ALL = ("*",)
OPEN = Policy(
    pod_template="Unrestricted",
    images=ALL,
    hosts=ALL,
    ingress_annotations=ALL,
    service_annotations=ALL,
    service_types=ALL,
    priority_classes=ALL,
    issuers=ALL,
    prometheus=ALL,
    kafka_brokers=ALL,
    backends=ALL,
    s3_endpoints=ALL,
    webhook_hosts=ALL,
)
"""Everything is allowed: for tests that are about something else."""
POLICY = Policy()
KEYRING = Keyring(b"a secret of thirty-two bytes 1234")
DEFAULTS = Defaults(image="ghcr.io/tts-operator/tts-server:v0.1.0", keyring=KEYRING)
NAMESPACE, NAME, UID = "speech", "narrator", "7f3c2f2e-0000-4000-8000-000000000001"
EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def everything() -> Json:
    """A spec that sets every field, and so asks for a child of every kind."""
    found: Json = yaml.safe_load((Path(__file__).parent / "golden/specs/everything.yaml").read_text())
    return found


def body(
    spec: Mapping[str, Any] | None = None,
    *,
    status: Mapping[str, Any] | None = None,
    generation: int = 1,
    uid: str = UID,
    **metadata: str,
) -> Json:
    """A TTSService as the API server returns it."""
    return {
        "apiVersion": "tts-operator.io/v1alpha1",
        "kind": "TTSService",
        "metadata": {
            "namespace": NAMESPACE,
            "name": NAME,
            "uid": uid,
            "resourceVersion": "1",
            "generation": generation,
            **metadata,
        },
        "spec": dict(spec or {}),
        "status": dict(status or {"observedGeneration": -1}),
    }


def service(spec: Mapping[str, Any] | None = None, **rest: Any) -> TTSService:
    """The same, parsed."""
    return TTSService.parse(body(spec, **rest))


def applied(manifest: Json, *, version: str = "1", **more: Any) -> Json:
    """What the API server has after we applied `manifest`; `more` comes on top."""
    live = copy.deepcopy(manifest)
    live["metadata"] |= {
        "uid": f"uid-of-{manifest['kind']}",
        "resourceVersion": version,
        "managedFields": [{"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": _fields(manifest)}],
    }
    if manifest["kind"] not in UNCOUNTED:
        live["metadata"]["generation"] = 1
    return live | more


UNRECORDED = {"name", "namespace", "uid", "resourceVersion"}
"""Metadata that belongs to nobody."""
UNCOUNTED = {"ServiceAccount", "Service", "ControllerRevision", "PersistentVolumeClaim", "HorizontalPodAutoscaler"}
"""Kinds whose versions the API server does not count."""


KEYS = {
    "ownerReferences": ("uid",),
    "containers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
ATOMIC = {
    "selector",
    "labelSelector",
    "nodeSelector",
    "podSelector",
    "data",
    "scaleTargetRef",
    "target",
    "triggers",
    "issuerRef",
}


def _fields(manifest: Json) -> Json:
    named = {name: value for name, value in manifest.items() if name not in {"apiVersion", "kind"}}
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in UNRECORDED}
    return _of_map({**named, "metadata": metadata})


def _of_map(value: Json) -> Json:
    return {f"f:{name}": _of(name, inner) for name, inner in value.items()}


def _of(name: str, value: Any) -> Json:
    if isinstance(value, dict) and name not in ATOMIC:
        return _of_map(value)
    keys = KEYS.get(name, ())
    if name == "ports":
        keys = ("containerPort", "protocol") if "containerPort" in value[0] else ("port", "protocol")
    if not keys:
        return {}
    return {_key(item, keys): {} if name == "ownerReferences" else {".": {}, **_of_map(item)} for item in value}


def _key(item: Json, keys: Sequence[str]) -> str:
    inner = ",".join(
        f'"{key}":{item[key] if isinstance(item[key], int) else chr(34) + item[key] + chr(34)}' for key in keys
    )
    return f"k:{{{inner}}}"


def counts(*, wanted: int = 3, **status: Any) -> Json:
    """The status of a Deployment all of whose pods are ready, but for `status`."""
    all_of_them = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return {"observedGeneration": 1, **dict.fromkeys(all_of_them, wanted), **status}


def world(
    asked: TTSService,
    *,
    deployment: Json | None = None,
    pods: Sequence[Pod] = (),
    zones: Mapping[str, str] | None = None,
    without: str | None = None,
    live: Sequence[Json] = (),
) -> Observed:
    """Everything is as applied; `deployment` is the Deployment's status, `without` a kind that is not there.

    `live` are further objects, or take the place of those of their kind and name.
    """
    found = [applied(manifest) for manifest in children(asked, DEFAULTS) if manifest["kind"] != without]
    for child in found:
        if child["kind"] == "Deployment":
            child["status"] = counts() if deployment is None else deployment
    return Observed(children={address(child): child for child in [*found, *live]}, pods=pods, zones=zones or {})


def condition(kind: str, status: str, **more: str) -> Json:
    return {"type": kind, "status": status, **more}


def pod(
    name: str = "narrator-1",
    *,
    ready: bool = False,
    node: str | None = "node-1",
    conditions: Sequence[Json] = (),
    containers: Sequence[Json] = (),
    init: Sequence[Json] = (),
    created: str = EARLIER,
    deleted: bool = False,
    **status: Any,
) -> Pod:
    """A pod as the cache holds it."""
    metadata = {"namespace": NAMESPACE, "name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": created}
    found = {
        "metadata": metadata | ({"deletionTimestamp": NOW} if deleted else {}),
        "spec": {"nodeName": node},
        "status": {
            "conditions": [condition("Ready", "True" if ready else "False"), *conditions],
            "initContainerStatuses": list(init),
            "containerStatuses": list(containers),
            **status,
        },
    }
    return cast("Pod", found)


def container(state: Json | None = None, *, last: Json | None = None, name: str = "server") -> Json:
    """A container's status: what it does now, and how it ended last time."""
    return {"name": name, "state": state or {}, "lastState": last or {}}


def plan(asked: TTSService, observed: Observed, defaults: Defaults, *, now: str, policy: Policy = POLICY) -> Plan:
    """What a pass decides to do."""
    bounds = policy.for_namespace(asked.namespace, defaults.image)
    return compare(asked, observed, decide(asked, observed, defaults, bounds, now=now), defaults, bounds)


def plan_for(asked: TTSService, revision: str, *, missing: Sequence[str] = (), spread: str = "") -> Plan:
    """A plan by which there is nothing to do, and a revision of this name runs; `missing` are kinds."""
    runs = Revision(name=revision, number=1, inputs=inputs(asked), template={"metadata": {}, "spec": {}}, spread=spread)
    workloads = DesiredWorkloads(revision=runs, replicas=asked.spec.replicas)
    decision = RolloutDecision(spec_revision=runs, update_revision=runs, workloads=workloads)
    return Plan(decision=decision, missing=[{"kind": kind} for kind in missing])
