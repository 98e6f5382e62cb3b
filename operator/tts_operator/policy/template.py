"""Check a final pod template against the policy.

Only the final template matters, because `podTemplate` may override what the operator sets, and not only add to it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tts_operator.json_object import Json
from tts_operator.policy.bounds import Bounds, Violation, allowed, shown
from tts_operator.policy.patterns import any_matches
from tts_operator.policy.standard import Problem, containers, fields, items, named, problems

SYSTEM = "system-"
"""Prefix of Kubernetes' own priority classes, whose pods preempt all others."""
IDENTITIES = ("serviceAccountToken", "podCertificate")
"""Sources of a projected volume that give a container an identity at the API server."""


def template_violations(
    template: Json,
    bounds: Bounds,
    *,
    account: str,
    field: str = "spec.podTemplate",
    origins: Mapping[str, str] | None = None,
) -> list[Violation]:
    """Find violations in a final pod template. Never raises, whatever it contains.

    `account` is the only allowed ServiceAccount. `field` names the source of the template. `origins` maps images and
    priority classes that do not come from podTemplate to the field of the spec that sets them.
    """
    found = [*_images(template, bounds), *_priority_class(template, bounds)]
    told = [_located(path, value, violation, field, origins or {}) for path, value, violation in found]
    if bounds.restricted:
        restricted = [*problems(template), *_identity(fields(template.get("spec")), account)]
        told += [
            Violation(text=f"{field}.{path}: {what} is not allowed; {instead}", value="podTemplate")
            for path, what, instead in restricted
        ]
    return told


Found = tuple[str, str, Violation]
"""Path, value, and a violation whose text lacks the path."""


def _located(path: str, value: str, violation: Violation, field: str, origins: Mapping[str, str]) -> Violation:
    return Violation(text=f"{origins.get(value) or f'{field}.{path}'}: {violation.text}", value=violation.value)


def _images(template: Json, bounds: Bounds) -> Iterator[Found]:
    pod = fields(template.get("spec"))
    references = [(f"{path}.image", container.get("image")) for path, container in containers(pod)]
    for number, volume in enumerate(items(pod.get("volumes"))):
        if isinstance(volume.get("image"), dict):
            path = f"spec.volumes[{named(volume, number)}].image.reference"
            references.append((path, volume["image"].get("reference")))
    for path, reference in references:
        if not isinstance(reference, str) or not bounds.has_image(reference):
            text = f"the image {shown(reference)} is not allowed; {allowed(bounds.images)}"
            yield path, str(reference), Violation(text=text, value="images")


def _priority_class(template: Json, bounds: Bounds) -> Iterator[Found]:
    name = fields(template.get("spec")).get("priorityClassName")
    violation = None if name in (None, "") else priority_class_violation(name, bounds)
    if violation is not None:
        yield "spec.priorityClassName", str(name), violation


def priority_class_violation(name: Any, bounds: Bounds) -> Violation | None:
    """Find what is wrong with a priority class. The text lacks the field."""
    if bounds.restricted and str(name).startswith(SYSTEM):
        text = f"{shown(name)} is not allowed, because it is reserved for the cluster's own pods"
        return Violation(text=text, value="podTemplate")
    if not isinstance(name, str) or not any_matches(bounds.priority_classes, name):
        text = f"{shown(name)} is not allowed; {allowed(bounds.priority_classes)}"
        return Violation(text=text, value="priorityClasses")
    return None


def _identity(pod: Json, account: str) -> Iterator[Problem]:
    """Check what would give a pod another identity or rank: account, token, node, and priority."""
    own = f"write {account}, or leave it out"
    if pod.get("serviceAccountName") != account:
        yield Problem("spec.serviceAccountName", shown(pod.get("serviceAccountName")), own)
    if pod.get("serviceAccount") not in (None, account):
        yield Problem("spec.serviceAccount", shown(pod["serviceAccount"]), own)
    if pod.get("automountServiceAccountToken") is not False:
        found = shown(pod.get("automountServiceAccountToken"))
        yield Problem("spec.automountServiceAccountToken", found, "leave it out: a token is no use to the pod")
    for number, volume in enumerate(items(pod.get("volumes"))):
        for source in items(fields(volume.get("projected")).get("sources")):
            for kind in IDENTITIES:
                if source.get(kind) is not None:
                    path = f"spec.volumes[{named(volume, number)}].projected.sources.{kind}"
                    yield Problem(path, "an identity for the pod", "leave it out")
    if pod.get("nodeName") not in (None, ""):
        yield Problem("spec.nodeName", shown(pod["nodeName"]), "write placement.nodeSelector or placement.affinity")
    if pod.get("priority") is not None:
        yield Problem("spec.priority", shown(pod["priority"]), "write placement.priorityClassName")
