"""Judges what `kubectl tts doctor` has read: pure functions, one for each thing that the operator needs."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tts_operator.api.quantity import quantity
from tts_operator.cli.checks.cluster import Cluster, environment
from tts_operator.cli.services.listing import problem
from tts_operator.cli.services.objects import ZONE
from tts_operator.cli.view import VERSION, service
from tts_operator.json_object import Json
from tts_operator.printable import one_line

OLDEST = (1, 30)
"""The oldest Kubernetes that the chart accepts."""
LISTED_MAX = 5
SHOWN_MAX = 300


class Verdict(enum.Enum):
    """How it is."""

    OK = "ok"
    MISSING = "missing"
    """Not there, and nothing needs it now."""
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """The user may not read it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the answer."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def findings(cluster: Cluster) -> list[Finding]:
    """Judge everything."""
    return [check(cluster) for check in CHECKS]


def _unknown(check: str, cluster: Cluster, field: str) -> Finding:
    reason = one_line(cluster.unread.get(field, "it could not be read"), SHOWN_MAX)
    return Finding(check=check, verdict=Verdict.UNKNOWN, found=reason)


def _kubernetes(cluster: Cluster) -> Finding:
    check, found = "Kubernetes", cluster.version
    if found is None:
        return _unknown(check, cluster, "version")
    numbers = re.match(r"v(\d+)\.(\d+)", found.get("gitVersion", ""))
    told = str(found.get("gitVersion", "unknown version"))
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Finding(check=check, verdict=Verdict.PROBLEM, found=told, remedy=f"the operator needs {oldest} or newer")
    return Finding(check=check, verdict=Verdict.OK, found=told)


def _crd(cluster: Cluster) -> Finding:
    check, found = "CRD", cluster.crd
    if found is None:
        return _unknown(check, cluster, "crd")
    remedy = "kubectl apply --server-side -f install.yaml"
    if not found:
        return Finding(check=check, verdict=Verdict.PROBLEM, found="TTSService is not installed", remedy=remedy)
    served = [each["name"] for each in found["spec"]["versions"] if each.get("served")]
    if VERSION not in served:
        told = f"serves {', '.join(served)}, not {VERSION}"
        return Finding(check=check, verdict=Verdict.PROBLEM, found=told, remedy=f"{remedy} of the plugin's version")
    conditions = {each["type"]: each["status"] for each in (found.get("status") or {}).get("conditions") or []}
    if conditions.get("Established") != "True":
        return Finding(check=check, verdict=Verdict.PROBLEM, found="not established", remedy=remedy)
    return Finding(check=check, verdict=Verdict.OK, found=f"TTSService {', '.join(served)}")


def _operator(cluster: Cluster) -> Finding:
    check, found = "Operator", cluster.operators
    if found is None:
        return _unknown(check, cluster, "operators")
    if not found:
        remedy = "kubectl apply --server-side -f install.yaml, or install the chart"
        return Finding(check=check, verdict=Verdict.PROBLEM, found="not installed", remedy=remedy)
    told, bad = [], []
    for each in found:
        metadata, ready = each["metadata"], (each.get("status") or {}).get("readyReplicas", 0)
        name = f"{metadata['namespace']}/{metadata['name']}"
        image = each["spec"]["template"]["spec"]["containers"][0].get("image", "")
        names = environment(each).get("TTS_OPERATOR_NAMESPACE", "")
        told.append(f"{name}: {ready} of {each['spec'].get('replicas', 1)} ready, {image}, {names or 'all namespaces'}")
        if not ready:
            bad.append(f"kubectl -n {metadata['namespace']} describe pods -l app.kubernetes.io/name=tts-operator")
    verdict = Verdict.PROBLEM if bad else Verdict.OK
    return Finding(check=check, verdict=verdict, found="; ".join(told), remedy="; ".join(bad))


def _operator_rights(cluster: Cluster) -> Finding:
    check, found = "Operator's rights", cluster.operator_may
    if found is None:
        return _unknown(check, cluster, "operator_may")
    if not found:
        return Finding(check=check, verdict=Verdict.MISSING, found="no operator to ask about")
    denied = [name for name, allowed in found.items() if not allowed]
    if denied:
        remedy = "install the chart's ClusterRole and its binding again: an upgrade restores them"
        return Finding(check=check, verdict=Verdict.PROBLEM, found=f"may not create {', '.join(denied)}", remedy=remedy)
    return Finding(check=check, verdict=Verdict.OK, found=f"may create {', '.join(found)}")


def _rights(cluster: Cluster) -> Finding:
    check, found = "Your rights", cluster.may
    if found is None:
        return _unknown(check, cluster, "may")
    denied = [name for name, allowed in found.items() if not allowed]
    if not denied:
        return Finding(check=check, verdict=Verdict.OK, found="every command of the plugin, in this namespace")
    remedy = "ask for the role edit in this namespace; services/proxy and pods/portforward for `say` and `job`"
    verdict = Verdict.PROBLEM if "get ttsservices" in denied else Verdict.MISSING
    return Finding(check=check, verdict=verdict, found=f"you may not {', '.join(denied)}", remedy=remedy)


def _zones(cluster: Cluster) -> Finding:
    check, found = "Zones", cluster.nodes
    if found is None:
        return _unknown(check, cluster, "nodes")
    zones = {(each["metadata"].get("labels") or {}).get(ZONE) for each in found} - {None, ""}
    lone = sum(not (each["metadata"].get("labels") or {}).get(ZONE) for each in found)
    told = f"{len(found)} nodes in {len(zones)} zone{'' if len(zones) == 1 else 's'}"
    if lone and zones:
        remedy = f"label the {lone} nodes without {ZONE}: strict services never use them"
        return Finding(check=check, verdict=Verdict.PROBLEM, found=f"{told}, {lone} without a zone", remedy=remedy)
    if len(zones) < 2:  # noqa: PLR2004 - one zone is one point of failure
        remedy = f"no service survives the loss of the zone: add nodes in others, with the label {ZONE}"
        return Finding(check=check, verdict=Verdict.MISSING, found=told, remedy=remedy)
    return Finding(check=check, verdict=Verdict.OK, found=f"{told}: {', '.join(sorted(map(str, zones)))}")


@dataclass(frozen=True, kw_only=True)
class Optional:
    """An API that some services need."""

    check: str
    group: str
    needed: Callable[[Json], object]
    """Whether a spec needs it."""
    purpose: str
    remedy: str


def _enabled(spec: Json, kind: str) -> bool:
    return bool(((spec.get("monitoring") or {}).get(kind) or {}).get("enabled"))


def _workers_scaling(spec: Json) -> Json:
    return ((spec.get("jobs") or {}).get("workers") or {}).get("autoscaling") or {}


OPTIONALS = (
    Optional(
        check="Metrics", group="metrics.k8s.io", purpose="spec.autoscaling",
        needed=lambda spec: spec.get("autoscaling"),
        remedy="install metrics-server: https://github.com/kubernetes-sigs/metrics-server#installation",
    ),
    Optional(
        check="cert-manager", group="cert-manager.io", purpose="spec.ingress.tls.issuerRef",
        needed=lambda spec: ((spec.get("ingress") or {}).get("tls") or {}).get("issuerRef"),
        remedy="install cert-manager: https://cert-manager.io/docs/installation/",
    ),
    Optional(
        check="Gateway API", group="gateway.networking.k8s.io", purpose="spec.gateway",
        needed=lambda spec: spec.get("gateway"),
        remedy="install its CRDs and a controller: https://gateway-api.sigs.k8s.io/guides/",
    ),
    Optional(
        check="Prometheus operator", group="monitoring.coreos.com", purpose="spec.monitoring",
        needed=lambda spec: any(_enabled(spec, each) for each in ("podMonitor", "prometheusRule")),
        remedy="install kube-prometheus-stack: https://github.com/prometheus-community/helm-charts",
    ),
    Optional(
        check="KEDA", group="keda.sh", purpose="spec.jobs.workers.autoscaling from zero",
        needed=lambda spec: _workers_scaling(spec).get("minReplicas") == 0,
        remedy="install KEDA: https://keda.sh/docs/latest/deploy/",
    ),
)  # fmt: skip


def _optional(wanted: Optional) -> Callable[[Cluster], Finding]:
    def check(cluster: Cluster) -> Finding:
        if cluster.groups is None:
            return _unknown(wanted.check, cluster, "groups")
        if wanted.group in cluster.groups:
            return Finding(check=wanted.check, verdict=Verdict.OK, found=f"{wanted.group} is served")
        users = [_name(each) for each in cluster.services or () if wanted.needed(each.get("spec") or {})]
        if users:
            told = f"not installed, and {_some(users)} need{'s' if len(users) == 1 else ''} it ({wanted.purpose})"
            return Finding(check=wanted.check, verdict=Verdict.PROBLEM, found=told, remedy=wanted.remedy)
        told = f"not installed; only {wanted.purpose} needs it"
        return Finding(check=wanted.check, verdict=Verdict.MISSING, found=told, remedy=wanted.remedy)

    return check


def _ingress(cluster: Cluster) -> Finding:
    check, found = "Ingress classes", cluster.ingress_classes
    if found is None:
        return _unknown(check, cluster, "ingress_classes")
    names = [each["metadata"]["name"] for each in found]
    marked = "ingressclass.kubernetes.io/is-default-class"
    standard = [
        each["metadata"]["name"] for each in found if (each["metadata"].get("annotations") or {}).get(marked) == "true"
    ]
    asked = [(_name(each), (each.get("spec") or {}).get("ingress")) for each in cluster.services or ()]
    lost = [
        f"{name} asks for {ingress.get('className') or 'the default class'}"
        for name, ingress in asked
        if ingress and (ingress["className"] not in names if ingress.get("className") else not standard)
    ]
    told = ", ".join(f"{each} (default)" if each in standard else each for each in names) or "none"
    if lost:
        remedy = "install an ingress controller with this class, or correct spec.ingress.className"
        return Finding(check=check, verdict=Verdict.PROBLEM, found=f"{told}; {_some(lost)}", remedy=remedy)
    if not names:
        remedy = "install an ingress controller, such as ingress-nginx or Traefik; only spec.ingress needs one"
        return Finding(check=check, verdict=Verdict.MISSING, found=told, remedy=remedy)
    return Finding(check=check, verdict=Verdict.OK, found=told)


def _storage(cluster: Cluster) -> Finding:
    check, found = "Storage classes", cluster.storage_classes
    if found is None:
        return _unknown(check, cluster, "storage_classes")
    marked = "storageclass.kubernetes.io/is-default-class"
    names = [
        f"{each['metadata']['name']} (default)"
        if (each["metadata"].get("annotations") or {}).get(marked) == "true"
        else each["metadata"]["name"]
        for each in found
    ]
    if names:
        return Finding(check=check, verdict=Verdict.OK, found=", ".join(names))
    remedy = "install a provisioner; only volumes in spec.model.storage and spec.jobs.storage need one"
    return Finding(check=check, verdict=Verdict.MISSING, found="none", remedy=remedy)


def _devices(cluster: Cluster) -> Finding:
    """GPUs and the like, of which the kubelet only knows if a device plugin tells it."""
    check, found = "Devices", cluster.nodes
    if found is None:
        return _unknown(check, cluster, "nodes")
    offered: Counter[str] = Counter()
    for each in found:
        for name, number in ((each.get("status") or {}).get("allocatable") or {}).items():
            offered[name] += int(quantity(number)) if "/" in name else 0
    there = [f"{number} {name}" for name, number in sorted(offered.items()) if number]
    told = ", ".join(there) or "none"
    lost = [
        f"{_name(each)} asks for {name}"
        for each in cluster.services or ()
        for name in _devices_of(each.get("spec") or {})
        if not offered[name]
    ]
    if lost:
        remedy = "install the vendor's device plugin (https://github.com/NVIDIA/k8s-device-plugin), or add such nodes"
        return Finding(check=check, verdict=Verdict.PROBLEM, found=f"{told}; {_some(lost)}", remedy=remedy)
    if not there:
        remedy = "only a spec.backend with a GPU needs a device plugin"
        return Finding(check=check, verdict=Verdict.MISSING, found=told, remedy=remedy)
    return Finding(check=check, verdict=Verdict.OK, found=told)


def _devices_of(spec: Json) -> list[str]:
    backend = spec.get("backend") or {}
    container = (backend.get("upstream") or backend.get("triton") or {}).get("container") or {}
    return [name for name in (container.get("resources") or {}).get("limits") or {} if "/" in name]


def _policy(cluster: Cluster) -> Finding:
    check = "Policy"
    if cluster.policies is None or cluster.admission is None:
        return _unknown(check, cluster, "policies" if cluster.policies is None else "admission")
    there = [_name(each) for each in cluster.policies if "policy.yaml" in (each.get("data") or {})]
    if not there:
        return Finding(check=check, verdict=Verdict.MISSING, found="no ConfigMap of the chart: the defaults apply")
    enforced = "and the API server enforces it" if cluster.admission else "but the API server does not enforce it"
    told = f"in ConfigMap {_some(there)}, {enforced}"
    if cluster.admission:
        return Finding(check=check, verdict=Verdict.OK, found=told)
    remedy = "Helm value admissionPolicy.enabled: true refuses at `kubectl apply` already"
    return Finding(check=check, verdict=Verdict.MISSING, found=told, remedy=remedy)


def _services(cluster: Cluster) -> Finding:
    check, found = "TTSServices", cluster.services
    if found is None:
        return _unknown(check, cluster, "services")
    bad = [f"{_name(each)} ({why})" for each in found if (why := problem(service(each)))]
    told = f"{len(found)}, {len(bad) or 'none'} with a problem"
    if bad:
        remedy = "kubectl tts get -A --problems, then kubectl tts status NAME"
        return Finding(check=check, verdict=Verdict.PROBLEM, found=f"{told}: {_some(bad)}", remedy=remedy)
    return Finding(check=check, verdict=Verdict.OK, found=told)


CHECKS: Sequence[Callable[[Cluster], Finding]] = (
    _kubernetes,
    _crd,
    _operator,
    _operator_rights,
    _rights,
    _policy,
    _zones,
    _ingress,
    *(_optional(each) for each in OPTIONALS),
    _storage,
    _devices,
    _services,
)


def _name(body: Json) -> str:
    metadata = body["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - LISTED_MAX} more" if len(found) > LISTED_MAX else ""
    return f"{', '.join(found[:LISTED_MAX])}{more}"
