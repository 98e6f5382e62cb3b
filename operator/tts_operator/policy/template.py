"""A finished pod template, held against the policy.

Finished, because only what runs counts: `podTemplate` may undo what the operator makes as well as add to it.
"""

from collections.abc import Iterator, Mapping

from tts_operator.json_object import Json
from tts_operator.policy.bounds import Bounds, Violation, allowed, shown
from tts_operator.policy.patterns import any_matches
from tts_operator.policy.standard import Problem, containers, fields, items, named, problems

SYSTEM = "system-"
"""Kubernetes' own priority classes; pods of these push others off their nodes."""
IDENTITIES = ("serviceAccountToken", "podCertificate")
"""Sources of a projected volume by which a container is somebody to the API server."""


def template_violations(
    template: Json,
    bounds: Bounds,
    *,
    account: str,
    field: str = "spec.podTemplate",
    origins: Mapping[str, str] | None = None,
) -> list[Violation]:
    """What is not allowed of a finished pod template. Never raises, whatever is in it.

    `account` is the name of the only ServiceAccount that its pods may run under, `field` where the template comes from.
    `origins` tell of images and priority classes which field of the spec asks for them, where none of podTemplate does.
    """
    found = [*_images(template, bounds), *_priority_class(template, bounds)]
    told = [_moved(path, value, violation, field, origins or {}) for path, value, violation in found]
    if bounds.restricted:
        restricted = [*problems(template), *_identity(fields(template.get("spec")), account)]
        told += [
            Violation(text=f"{field}.{path}: {what} is not allowed; {instead}", value="podTemplate")
            for path, what, instead in restricted
        ]
    return told


Found = tuple[str, str, Violation]
"""Where, what value, and what is said of it, but for where."""


def _moved(path: str, value: str, violation: Violation, field: str, origins: Mapping[str, str]) -> Violation:
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
    path = "spec.priorityClassName"
    if name in (None, ""):
        return
    if bounds.restricted and str(name).startswith(SYSTEM):
        text = f"{shown(name)} is not allowed, because it is reserved for the cluster's own pods"
        yield path, str(name), Violation(text=text, value="podTemplate")
    elif not isinstance(name, str) or not any_matches(bounds.priority_classes, name):
        text = f"{shown(name)} is not allowed; {allowed(bounds.priority_classes)}"
        yield path, str(name), Violation(text=text, value="priorityClasses")


def _identity(pod: Json, account: str) -> Iterator[Problem]:
    """What would make a pod another one than its TTSService's: its account, a token, its node, its priority."""
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
