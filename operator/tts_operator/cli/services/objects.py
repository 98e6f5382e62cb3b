"""What belongs to a service: its pods by zone, and its other objects, each with a word on its state."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tts_operator.cli.kubectl import Kubectl, parsed
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.view import BACKEND, CONTAINER, SHOWN_MAX, time_of
from tts_operator.json_object import Json
from tts_operator.printable import one_line

KINDS = (
    "pods",
    "deployments.apps",
    "horizontalpodautoscalers.autoscaling",
    "services",
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "persistentvolumeclaims",
)
"""What every cluster has."""
OPTIONAL = {
    "gateway": "httproutes.gateway.networking.k8s.io",
    "ingress": "certificates.cert-manager.io",
    "monitoring": "podmonitors.monitoring.coreos.com,prometheusrules.monitoring.coreos.com",
    "jobs": "scaledobjects.keda.sh",
}
"""By the field of the spec that may need it."""
ZONE = "topology.kubernetes.io/zone"
MANY = 50
"""From so many nodes on, all are listed: the command line would become long."""
ROLES = {
    "tts-server": "server",
    "tts-server-candidate": "candidate",
    "tts-server-worker": "worker",
    "tts-backend": "backend",
}
INITIALIZING, COMPLETED = "PodInitializing", "Completed"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod."""

    name: str
    role: str
    """`server`, `candidate`, `worker`, or `backend`: a pod of a separate backend."""
    ready: bool
    state: str
    """`Ready`, `Running`, or why it is not, such as `CrashLoopBackOff`."""
    image: str
    node: str
    zone: str
    restarts: int
    created: datetime.datetime | None


@dataclass(frozen=True, kw_only=True)
class Child:
    """One object of the service other than a pod."""

    kind: str
    name: str
    state: str
    good: bool


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Everything, and what could not be read."""

    pods: Sequence[Pod]
    children: Sequence[Child]
    unread: str = ""


def read(kubectl: Kubectl, name: str, body: Json) -> Objects:
    """Read them, the kinds at the same time."""
    selector = f"--selector=app.kubernetes.io/instance={name},app.kubernetes.io/managed-by=tts-operator"
    wanted = [",".join(KINDS), *(kinds for field, kinds in OPTIONAL.items() if (body.get("spec") or {}).get(field))]
    with ThreadPoolExecutor(len(wanted)) as pool:
        found = list(pool.map(lambda kinds: _list(kubectl, kinds, selector), wanted))
    items = [item for listed, _ in found for item in listed]
    pods = [each for each in items if each.get("kind") == "Pod"]
    zones = _zones(kubectl, pods)
    return Objects(
        pods=sorted((pod(each, zones) for each in pods), key=lambda each: (each.zone or "~", each.name)),
        children=[child(each) for each in items if each.get("kind") != "Pod"],
        unread="; ".join(dict.fromkeys(errors for _, errors in found[:1] if errors)),
    )


def _list(kubectl: Kubectl, kinds: str, selector: str) -> tuple[list[Json], str]:
    """Return the objects, and an error. Of several kinds, kubectl lists those that it may."""
    answer = kubectl.attempt("get", kinds, selector, "--output=json")
    try:
        return parsed(answer.output).get("items") or [], answer.errors
    except UnreachableError:
        return [], answer.errors


def _zones(kubectl: Kubectl, pods: Sequence[Json]) -> Mapping[str, str]:
    """Return the zones of the nodes of these pods. Not everybody may read nodes."""
    names = sorted({each.get("spec", {}).get("nodeName", "") for each in pods} - {""})
    if not names:
        return {}
    items, _ = _list(kubectl, "nodes", "--ignore-not-found") if len(names) > MANY else _get(kubectl, names)
    return {each["metadata"]["name"]: (each["metadata"].get("labels") or {}).get(ZONE, "") for each in items}


def _get(kubectl: Kubectl, names: Sequence[str]) -> tuple[list[Json], str]:
    answer = kubectl.attempt("get", "nodes", *names, "--ignore-not-found", "--output=json")
    try:
        found = parsed(answer.output)
    except UnreachableError:
        return [], answer.errors
    return found["items"] if found.get("kind") == "List" else [found], answer.errors


def pod(body: Json, zones: Mapping[str, str]) -> Pod:
    """Parse a pod."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    labels = metadata.get("labels") or {}
    sidecars = [each for each in status.get("initContainerStatuses") or [] if each.get("name") == BACKEND]
    containers = [*(status.get("containerStatuses") or []), *sidecars]
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    ready = (conditions.get("Ready") or {}).get("status") == "True"
    images = [
        each.get("image", "") for each in spec.get("containers") or [] if each.get("name") in {CONTAINER, BACKEND}
    ]
    node = spec.get("nodeName", "")
    return Pod(
        name=metadata["name"],
        role=ROLES.get(labels.get("app.kubernetes.io/name", ""), "server"),
        ready=ready,
        state=one_line("Terminating" if "deletionTimestamp" in metadata else _pod_state(status, conditions), SHOWN_MAX),
        image=one_line(next(iter(images), "-"), SHOWN_MAX),
        node=node,
        zone=zones.get(node, ""),
        restarts=sum(each.get("restartCount", 0) for each in containers),
        created=time_of(metadata.get("creationTimestamp")),
    )


def _pod_state(status: Json, conditions: Mapping[str, Json]) -> str:
    ready = conditions.get("Ready") or {}
    if ready.get("status") == "True":
        return "Ready"
    reasons = [
        str(reason)
        for each in [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
        for kind in ("waiting", "terminated")
        if (reason := ((each.get("state") or {}).get(kind) or {}).get("reason"))
    ]
    # A server that waits for an init container says less than that one, and one that is done says nothing.
    telling = [each for each in reasons if each not in {INITIALIZING, COMPLETED}]
    if telling or INITIALIZING in reasons:
        return next(iter(telling), INITIALIZING)
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason") or "Unschedulable")
    return str(ready.get("reason") or status.get("reason") or status.get("phase") or "Unknown")


def child(body: Json) -> Child:
    """Parse another object."""
    kind, metadata = body.get("kind", ""), body["metadata"]
    state, good = _STATES.get(kind, _plain)(body.get("spec") or {}, body.get("status") or {})
    if "deletionTimestamp" in metadata:
        state, good = "being deleted", False
    return Child(kind=kind, name=metadata["name"], state=one_line(state, SHOWN_MAX), good=good)


def _plain(spec: Json, status: Json) -> tuple[str, bool]:
    del spec, status
    return "", True


def _deployment(spec: Json, status: Json) -> tuple[str, bool]:
    ready, wanted = status.get("readyReplicas", 0), spec.get("replicas", 1)
    return f"{ready} of {wanted} ready", ready >= wanted


def _autoscaler(spec: Json, status: Json) -> tuple[str, bool]:
    bounds = f"{spec.get('minReplicas', 1)} to {spec.get('maxReplicas')} pods, now {status.get('currentReplicas', 0)}"
    bad = [
        each
        for each in status.get("conditions") or []
        if each["type"] in {"AbleToScale", "ScalingActive"} and each["status"] == "False"
    ]
    return (f"{bounds}; {bad[0].get('reason')}", False) if bad else (bounds, True)


def _service(spec: Json, status: Json) -> tuple[str, bool]:
    ports = ", ".join(str(each.get("port")) for each in spec.get("ports") or [])
    text = f"{spec.get('type', 'ClusterIP')}, port {ports}"
    if spec.get("type") != "LoadBalancer":
        return text, True
    address = _address(status)
    return f"{text}, {address or 'no address yet'}", bool(address)


def _ingress(spec: Json, status: Json) -> tuple[str, bool]:
    hosts = ", ".join(each.get("host", "*") for each in spec.get("rules") or [])
    address = _address(status)
    name = spec.get("ingressClassName") or "the default class"
    return f"{hosts or '*'}, {name}, {address or 'no address reported'}", True


def _address(status: Json) -> str:
    points = (status.get("loadBalancer") or {}).get("ingress") or []
    return ", ".join(str(each.get("hostname") or each.get("ip")) for each in points)


def _budget(spec: Json, status: Json) -> tuple[str, bool]:
    del spec
    allowed = status.get("disruptionsAllowed", 0)
    return f"{allowed} pod{'' if allowed == 1 else 's'} may be evicted now", True


def _claim(spec: Json, status: Json) -> tuple[str, bool]:
    del spec
    size = (status.get("capacity") or {}).get("storage", "")
    phase = status.get("phase", "Pending")
    return f"{phase}{f', {size}' if size else ''}", phase == "Bound"


def _certificate(spec: Json, status: Json) -> tuple[str, bool]:
    del spec
    ready: Json = next((each for each in status.get("conditions") or [] if each["type"] == "Ready"), {})
    good = ready.get("status") == "True"
    return ("issued", True) if good else (str(ready.get("reason") or "not issued yet"), False)


def _route(spec: Json, status: Json) -> tuple[str, bool]:
    hosts = ", ".join(spec.get("hostnames") or ["*"])
    accepted = [
        each.get("status") == "True"
        for parent in status.get("parents") or []
        for each in parent.get("conditions") or []
        if each.get("type") == "Accepted"
    ]
    good = bool(accepted) and all(accepted)
    return f"{hosts}, {'accepted' if good else 'not accepted' if accepted else 'no Gateway has reported yet'}", good


_STATES = {
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Service": _service,
    "Ingress": _ingress,
    "PodDisruptionBudget": _budget,
    "PersistentVolumeClaim": _claim,
    "Certificate": _certificate,
    "HTTPRoute": _route,
}
