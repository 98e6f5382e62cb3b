"""The bundle for the Operator Lifecycle Manager (OLM), from the rendered chart. No I/O.

The format is registry+v1: https://olm.operatorframework.io/docs/tasks/creating-operator-bundle/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Json = dict[str, Any]
PACKAGE = "tts-operator"
NAMESPACE = "tts-operator-system"
"""Where the chart is rendered. OLM chooses the namespace, so no object of the bundle names it."""
SETTINGS = ("crds.install=false", "admissionPolicy.enabled=false", "fencing.enabled=false")
"""The chart's values for the bundle.

OLM creates no ValidatingAdmissionPolicy. Without one, the operator must not have the right to write the status of pods,
which fencing needs.
"""
CHANNEL = "candidate"
"""While the API is alpha (https://olm.operatorframework.io/docs/best-practices/channel-naming/)."""
SOURCE = "https://github.com/tts-operator/tts-operator"
_IN_THE_CSV = {"ServiceAccount", "Role", "RoleBinding", "ClusterRoleBinding", "Deployment"}
"""What OLM itself makes, as the ClusterServiceVersion says."""
_OBJECTS = {"ClusterRole", "ConfigMap", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceMonitor"}
"""Kinds that a bundle may contain, of those that the chart has."""
DESCRIPTION = """\
One `TTSService` becomes a highly available text-to-speech service for Mandarin: pods in all zones, a Service, and, if
you ask for them, autoscaling, an Ingress or a Gateway route, certificates, network policies, and alerts. Canary and
blue-green rollouts check the speech of a new revision before it gets traffic, and go back by themselves if it is bad.

Two parts of the Helm chart are not in this package, because OLM cannot create a ValidatingAdmissionPolicy:

- The operator refuses what its policy forbids, but the API server accepts it: `kubectl apply` does not fail.
- Pods on an unreachable node leave their Service when Kubernetes notices, after about 40 seconds instead of two.
"""


@dataclass(frozen=True, kw_only=True)
class About:
    """What the rendered chart does not say."""

    version: str
    chart: Json
    """Chart.yaml."""
    examples: Sequence[Json]
    """TTSServices that a console offers as templates."""
    icon: bytes
    """SVG."""
    created: str
    """When the sources were made, in ISO 8601."""
    architectures: Sequence[str]


def files(rendered: Iterable[Json], crd: str, about: About) -> dict[str, str]:
    """Return the bundle's files by their paths, given the objects of the chart and the text of the CRD.

    Raises ValueError for an object that OLM would not create.
    """
    objects = [each for each in rendered if each]
    labels = _labels()
    found = {
        f"manifests/{PACKAGE}.clusterserviceversion.yaml": _yaml(_service_version(objects, yaml.safe_load(crd), about)),
        "manifests/tts-operator.io_ttsservices.yaml": crd,
        "metadata/annotations.yaml": _yaml({"annotations": labels}),
        "bundle.Dockerfile": "".join(
            ["FROM scratch\n", *(f"LABEL {key}={value}\n" for key, value in labels.items()),
             "COPY manifests /manifests/\n", "COPY metadata /metadata/\n"]
        ),
    }  # fmt: skip
    for each in _separate(objects):
        name = f"{each['metadata']['name']}.{each['kind'].lower()}.yaml"
        found[f"manifests/{name}"] = _yaml(each)
    return found


def _labels() -> dict[str, str]:
    """What tells OLM the format, in the image's labels and in a file."""
    prefix = "operators.operatorframework.io.bundle."
    return {
        f"{prefix}mediatype.v1": "registry+v1",
        f"{prefix}manifests.v1": "manifests/",
        f"{prefix}metadata.v1": "metadata/",
        f"{prefix}package.v1": PACKAGE,
        f"{prefix}channels.v1": CHANNEL,
        f"{prefix}channel.default.v1": CHANNEL,
    }


def _service_version(objects: Sequence[Json], crd: Json, about: About) -> Json:
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    (version,) = crd["spec"]["versions"]
    kind = crd["spec"]["names"]["kind"]
    spec = _in_any_namespace(deployment["spec"])
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{PACKAGE}.v{about.version}",
            "annotations": {
                "alm-examples": json.dumps(about.examples, ensure_ascii=False, indent=2),
                "capabilities": "Deep Insights",
                "categories": "AI/Machine Learning",
                "containerImage": _images(spec)[0]["image"],
                "createdAt": about.created,
                "description": about.chart["description"],
                "operatorframework.io/suggested-namespace": NAMESPACE,
                "repository": SOURCE,
                "support": f"{SOURCE}/issues",
            },
            "labels": {
                "operatorframework.io/os.linux": "supported",
                **{f"operatorframework.io/arch.{each}": "supported" for each in about.architectures},
            },
        },
        "spec": {
            "displayName": "TTS Operator",
            "description": DESCRIPTION,
            "version": about.version,
            "minKubeVersion": about.chart["kubeVersion"].removeprefix(">=").removesuffix("-0"),
            "maturity": "alpha",
            "keywords": about.chart["keywords"],
            "links": [{"name": "Documentation", "url": f"{SOURCE}/tree/main/docs"}],
            "provider": {"name": PACKAGE, "url": SOURCE},
            "icon": [{"base64data": base64.b64encode(about.icon).decode(), "mediatype": "image/svg+xml"}],
            "installModes": [
                {"type": mode, "supported": mode == "AllNamespaces"}
                for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
            ],
            "customresourcedefinitions": {
                "owned": [
                    {
                        "name": crd["metadata"]["name"],
                        "version": version["name"],
                        "kind": kind,
                        "displayName": "Text-to-speech service",
                        "description": version["schema"]["openAPIV3Schema"]["description"],
                    }
                ]
            },
            "relatedImages": _images(spec),
            "install": {
                "strategy": "deployment",
                "spec": {
                    "clusterPermissions": _permissions(objects, "ClusterRole"),
                    "permissions": _permissions(objects, "Role"),
                    "deployments": [
                        {
                            "name": deployment["metadata"]["name"],
                            "label": deployment["metadata"]["labels"],
                            "spec": spec,
                        }
                    ],
                },
            },
        },
    }


def _in_any_namespace(spec: Json) -> Json:
    """Return the Deployment's spec with $(POD_NAMESPACE), which the kubelet fills in, for the chart's namespace."""
    (container,) = spec["template"]["spec"]["containers"]
    env = sorted(container["env"], key=lambda each: "valueFrom" not in each)  # only an earlier variable is filled in
    for each in env:
        if each.get("value", "").startswith(f"{NAMESPACE}/"):
            each["value"] = each["value"].replace(NAMESPACE, "$(POD_NAMESPACE)", 1)
    return {
        **spec,
        "template": {
            **spec["template"],
            "spec": {**spec["template"]["spec"], "containers": [{**container, "env": env}]},
        },
    }


def _images(spec: Json) -> list[Json]:
    """The operator's image, and that of the model server."""
    (container,) = spec["template"]["spec"]["containers"]
    (server,) = (each["value"] for each in container["env"] if each["name"] == "TTS_OPERATOR_SERVER_IMAGE")
    return [{"name": "tts-operator", "image": container["image"]}, {"name": "tts-server", "image": server}]


def _permissions(objects: Sequence[Json], kind: str) -> list[Json]:
    """The rules of the roles of a kind that are bound to the operator's ServiceAccount."""
    rules = {each["metadata"]["name"]: each["rules"] for each in objects if each["kind"] == kind}
    bindings = [each for each in objects if each["kind"] == f"{kind}Binding"]
    accounts = {subject["name"] for binding in bindings for subject in binding["subjects"]}
    return [
        {
            "serviceAccountName": account,
            "rules": [rule for binding in bindings for rule in rules[binding["roleRef"]["name"]]],
        }
        for account in sorted(accounts)
    ]


def _separate(objects: Sequence[Json]) -> Iterator[Json]:
    """Yield the objects that are files of their own in the bundle, without the chart's namespace."""
    bound = {each["roleRef"]["name"] for each in objects if each["kind"] == "ClusterRoleBinding"}
    for each in objects:
        kind, name = each["kind"], each["metadata"]["name"]
        if kind in _IN_THE_CSV or (kind == "ClusterRole" and name in bound):
            continue
        if kind not in _OBJECTS:
            raise ValueError(f"{kind} {name}: OLM would not create it; turn it off in SETTINGS of release/olm.py")
        metadata = {key: value for key, value in each["metadata"].items() if key != "namespace"}
        yield {**each, "metadata": metadata}


def _yaml(value: Json) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
