"""Writes a commented TTSService from answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from tts_operator.api import API_VERSION, KIND
from tts_operator.cli.write.questions import Answers
from tts_operator.json_object import Json

Part = tuple[str, Json]
"""A comment, and fields of the spec."""


BY_LOAD = """\
The number of pods follows the CPU load, which needs metrics-server. To scale on the queue instead, see
examples/queue-autoscaling.yaml."""
FIXED = "Three pods, one in each zone, survive the loss of a zone. What they bear: docs/operations.md, Capacity."
ROUTE = "A route on a Gateway that exists, and allows routes from this namespace."
KEYS = """\
Clients send `Authorization: Bearer KEY`. Create the Secret first:
kubectl create secret generic {secret} --from-literal=keys="$(openssl rand -hex 24)\""""
MONITORING = "Prometheus scrapes the pods, and alerts when they fail or are slow."
OUTSIDE = "Traffic from outside the cluster."
CERTIFICATE, PLAIN = "cert-manager gets the certificate.", "It is not encrypted: set ingress.tls for production."
BLUE_GREEN = """\
A complete second set of pods, for which there must be capacity. All traffic switches to it with
kubectl tts promote {name}"""
CANARY = """\
A new version first gets a tenth of the traffic, then half, five minutes each, and is rolled back if it fails."""


def parts(answers: Answers) -> Iterator[Part]:
    """Yield the spec's parts, in the order in which people read them."""
    if answers.scaling == "load":
        yield BY_LOAD, {"autoscaling": {"minReplicas": answers.fewest, "maxReplicas": answers.most}}
    else:
        yield FIXED, {"replicas": answers.fewest}
    if answers.access == "ingress":
        yield f"{OUTSIDE} {CERTIFICATE if answers.issuer else PLAIN}", {"ingress": _ingress(answers)}
    if answers.access == "gateway":
        yield ROUTE, {"gateway": {"parentRefs": [{"name": answers.gateway}], "hostnames": [answers.host]}}
    if answers.keys:
        reference = {"name": answers.keys, "key": "keys"}
        yield KEYS.format(secret=answers.keys), {"server": {"auth": {"apiKeysSecretRef": reference}}}
    if answers.strategy == "BlueGreen":
        rollout: Json = {"strategy": "BlueGreen", "blueGreen": {"promotion": "Manual"}}
        yield BLUE_GREEN.format(name=answers.name), {"rollout": rollout}
    if answers.strategy == "Canary":
        steps = [{"weight": 10, "holdSeconds": 300}, {"weight": 50, "holdSeconds": 300}]
        analysis = {"maxErrorRate": "1%", "maxP99Milliseconds": 1200}
        yield CANARY, {"rollout": {"strategy": "Canary", "canary": {"steps": steps}, "analysis": analysis}}
    if answers.monitoring:
        yield MONITORING, {"monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}}


def _ingress(answers: Answers) -> Json:
    ingress: Json = {"host": answers.host}
    if answers.ingress_class:
        ingress["className"] = answers.ingress_class
    if answers.issuer:
        ingress["tls"] = {"issuerRef": {"name": answers.issuer, "kind": "Issuer"}}
    return ingress


def body(answers: Answers) -> Json:
    """Return the object."""
    metadata = {"name": answers.name, **({"namespace": answers.namespace} if answers.namespace else {})}
    spec = {name: value for _, fields in parts(answers) for name, value in fields.items()}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def text(answers: Answers) -> str:
    """Return the object as YAML, with a comment above each part of the spec."""
    whole = body(answers)
    head = {name: whole[name] for name in ("apiVersion", "kind", "metadata")}
    lines = [
        "# A text-to-speech service. Every field: docs/api.md, or `kubectl explain tts.spec`.",
        f"#   kubectl tts lint FILE && kubectl apply -f FILE && kubectl tts status {answers.name} --watch",
        *_yaml(head),
        "spec:",
    ]
    for comment, fields in parts(answers):
        lines += [f"  # {each}" for each in comment.splitlines()]
        lines += [f"  {each}" for each in _yaml(fields)]
    return "\n".join(lines) + "\n"


def _yaml(fields: Json) -> list[str]:
    written: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10**6)
    return written.splitlines()
