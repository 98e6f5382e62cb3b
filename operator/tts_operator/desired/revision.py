"""Revisions: the pod templates of a TTSService, kept as ControllerRevisions.

A revision contains the pod template, and the part of the spec that it was built from, its inputs. The template is
reused as long as the inputs are the same. So an operator with new defaults, or a different template, restarts no pod.
They take effect with the next change of the spec, or when the user requests a refresh.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeGuard

from pydantic import ValidationError

from tts_operator.api import Spec, TTSService
from tts_operator.api.backend import Backend
from tts_operator.api.model import Model
from tts_operator.api.quantity import quantity
from tts_operator.desired.backend import BackendPods, backend_pods
from tts_operator.desired.backend_client import backend_client
from tts_operator.desired.identity import manifest
from tts_operator.desired.pod.backend import BackendClient
from tts_operator.desired.pod.spread import in_force, resolved
from tts_operator.desired.pod.template import image_reference, pod_template
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring
from tts_operator.objects import RevisionData

PARTS = {"model", "backend", "image", "resources", "server", "placement", "pod_template", "jobs"}
"""The fields of the spec that affect the pods."""
OTHER_PARTS = {"jobs": {"workers"}, "backend": {"replicas", "autoscaling"}}
"""Fields inside them that do not: workers change without a rollout, because they serve no clients."""
HASH_CHARACTERS = 10
TEMPLATE_LABEL = "tts-operator.io/template-hash"
CAUSE_ANNOTATION = "tts-operator.io/cause"
CAUSE_MAX = 250
WAS_STABLE_ANNOTATION = "tts-operator.io/was-stable"
"""On a ControllerRevision: "true" if it was stable when a rollout of another one began.

The status names the stable revision of now. So the mark costs one write for each rollout, and none before.
"""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A pod template and its inputs."""

    name: str
    """Name of the ControllerRevision."""
    number: int
    """Counted from 1. The newest has the largest number."""
    inputs: Json
    """The part of the spec that it was built from, with the defaults of that time."""
    template: Json
    """The pod template."""
    cause: str = ""
    """Why it was created, for people."""
    backend: BackendPods | None = None
    """The pods of its separate backend; None if it has none."""
    spread: str = ""
    """How strictly its pods are spread over zones, as in `status.zoneSpread`; empty if unknown."""
    was_stable: bool = False
    """Whether it was stable when a rollout of another revision began. False too if an older operator began it."""
    recorded: bool = True
    """False: its ControllerRevision is gone, and it is only known from its Deployment."""

    @property
    def model(self) -> Model:
        """The model that its pods load; the default one if the inputs are invalid. With a backend, that one's."""
        try:
            found = Model.model_validate(self.inputs.get("model", {}))
        except ValidationError:
            return Model()
        theirs = self._name_at_backend
        return found.model_copy(update={"name": theirs}) if theirs and not found.name else found

    @property
    def has_backend(self) -> bool:
        """Whether a backend makes the sound."""
        return isinstance(self.inputs.get("backend"), dict)

    @property
    def _name_at_backend(self) -> str:
        """What the model behind an upstream is called; empty without one. Behind a Triton, it is that of the engine."""
        backend = self.inputs.get("backend")
        if not isinstance(backend, dict):
            return ""
        upstream = backend.get("upstream")
        return str(upstream.get("model", "upstream")) if isinstance(upstream, dict) else ""

    @property
    def spec(self) -> Spec:
        """The spec that it was built from. Fields that do not affect the pods have their defaults.

        If the inputs are invalid, for example because someone has edited them, all fields have their defaults.
        """
        try:
            return Spec.model_validate({name: value for name, value in self.inputs.items() if name != "refresh"})
        except ValidationError:
            return Spec()

    @property
    def template_hash(self) -> str:
        """Equal for all revisions with the same pods; empty for templates of older operators."""
        found: str = self.template["metadata"].get("labels", {}).get(TEMPLATE_LABEL, "")
        return found

    def stripped(self) -> "Revision":
        """Drop what takes memory. Keeps enough to report the revision, and to recognize its pods."""
        labels = {TEMPLATE_LABEL: self.template_hash} if self.template_hash else {}
        model = {name: self.inputs[name] for name in ("model",) if name in self.inputs}
        if self.has_backend:
            model["backend"] = {"upstream": {"model": self._name_at_backend}}
        backend = replace(self.backend, template={}) if self.backend is not None else None
        return replace(self, inputs=model, template={"metadata": {"labels": labels}}, backend=backend)

    def has_pods_of(self, other: "Revision") -> bool:
        """Whether both revisions have the same pods."""
        return self.template == other.template or self.template_hash == other.template_hash != ""

    def once_stable(self) -> "Revision":
        """The same, marked as having been stable."""
        return replace(self, was_stable=True)

    def manifest(self, service: TTSService) -> Json:
        """The ControllerRevision (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/)."""
        data = {"inputs": self.inputs, "template": self.template}
        if self.backend is not None:
            data["backend"] = self.backend.as_data()
        annotations = {CAUSE_ANNOTATION: self.cause} if self.cause else {}
        annotations |= {WAS_STABLE_ANNOTATION: "true"} if self.was_stable else {}
        return manifest(
            service,
            "apps/v1",
            "ControllerRevision",
            name=self.name,
            annotations=annotations,
            data=data,
            revision=self.number,
        )


def revisions_of(history: Iterable[Json]) -> list[Revision]:
    """Parse ControllerRevisions, oldest first. Skips those with other content."""
    found = (_revision(body) for body in history if _holds_revision(body.get("data")))
    return sorted(found, key=lambda each: each.number)


def wanted_revision(
    service: TTSService,
    default_image: str,
    revisions: Sequence[Revision],
    *,
    nodes: Iterable[Mapping[str, str]] = (),
    keyring: Keyring | None = None,
) -> Revision:
    """Return the revision for the spec: the newest of `revisions` if it matches, or an older one, or a new one.

    `nodes` yields the labels of each node, if known. Only a new revision depends on them and on the `keyring`, so that
    neither new zones nor a lost key restart pods.
    """
    asked = inputs(service)
    if revisions and _still_asked(revisions[-1].inputs, asked):
        return revisions[-1]
    cause = (service.cause or (change(revisions[-1].inputs, asked) if revisions else ""))[:CAUSE_MAX]
    number = revisions[-1].number + 1 if revisions else 1
    # If the spec returns to an earlier one, its revision becomes the newest; preferably the stable revision.
    stable = service.status.get("currentRevision")
    for each in sorted(revisions, key=lambda each: (each.name != stable, -each.number)):
        if _still_asked(each.inputs, asked):
            return replace(each, number=number, cause=cause)
    client, backend = _backend(service, image_reference(service.spec.image, default_image))
    template = _labelled(pod_template(service, default_image, resolved(service.spec, nodes), keyring, client))
    name = f"{service.name}-{_hash({'inputs': asked, 'template': template})}"
    return Revision(
        name=name,
        number=number,
        inputs=asked,
        template=template,
        backend=backend,
        cause=cause,
        spread=in_force(asked, template),
    )


def _backend(service: TTSService, server_image: str) -> tuple[BackendClient | None, BackendPods | None]:
    """What the servers need to ask their backend, and the pods of a separate one."""
    asked = service.spec.backend
    if asked is None:
        return None, None
    pods = backend_pods(service, asked, server_image) if asked.is_separate else None
    return backend_client(service, asked, server_image, pods), pods


def inputs(service: TTSService) -> Json:
    """The part of a TTSService that affects its pods."""
    asked = _dump(service.spec)
    return {**asked, "refresh": service.refresh} if service.refresh else asked


def _still_asked(recorded: Json, asked: Json) -> bool:
    """Whether the inputs of a revision match.

    `whenUnsatisfiable` once had the default DoNotSchedule. The API server stored it in the objects of that time, and so
    it is in the inputs of their revisions. Applying such an object again without the field requests nothing new: its
    pods stay, strictly spread, until another field changes, or someone requests a refresh.
    """
    if recorded == asked:
        return True  # the common case, before a backend is parsed
    recorded = _with_defaults_of_backend(recorded)
    return same_inputs(recorded, asked, _silent()) or same_inputs(recorded, _with_old_default(asked), _silent())


def _with_defaults_of_backend(recorded: Json) -> Json:
    """Add the defaults of fields that are newer than the revision: an empty spec has no backend to compare with."""
    found = recorded.get("backend")
    if not isinstance(found, dict):
        return recorded
    try:
        backend = Backend.model_validate(found)
    except ValidationError:
        return recorded
    dumped = backend.model_dump(exclude=OTHER_PARTS["backend"], by_alias=True, exclude_none=True, mode="json")
    return {**recorded, "backend": dumped}


def _with_old_default(asked: Json) -> Json:
    placement = asked["placement"]
    spread = {"whenUnsatisfiable": "DoNotSchedule", **placement["zoneSpread"]}
    return {**asked, "placement": {**placement, "zoneSpread": spread}}


def same_inputs(recorded: Mapping[str, Any], asked: Mapping[str, Any], silent: Mapping[str, Any]) -> bool:
    """Whether `asked` matches the recorded inputs. `silent` are the inputs of an empty spec.

    A field of a newer API version that has its default is not recorded, and is no difference.
    """
    if recorded == asked:
        return True  # the common case, many times as fast
    if not recorded.keys() <= asked.keys():
        return False
    return all(
        _same(recorded[name], value, silent.get(name)) if name in recorded else value == silent.get(name)
        for name, value in asked.items()
    )


def _same(recorded: Any, asked: Any, silent: Any) -> bool:
    if isinstance(recorded, dict) and isinstance(asked, dict):
        return same_inputs(recorded, asked, silent if isinstance(silent, dict) else {})
    return bool(recorded == asked)


@cache
def _silent() -> Json:
    return _dump(Spec())


def _dump(spec: Spec) -> Json:
    return spec.model_dump(include=PARTS, exclude=OTHER_PARTS, by_alias=True, exclude_none=True, mode="json")


def change(before: Json, after: Json) -> str:
    """Describe the differences between the inputs of two revisions."""
    return "; ".join(_changes(before, after, ""))


def _changes(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict) and path != "podTemplate":
        for name in sorted(before.keys() | after.keys()):
            yield from _changes(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif before != after:
        # A pod template or a list may be long, or contain secrets.
        plain = not isinstance(before, dict | list) and not isinstance(after, dict | list)
        yield f"{path}: {_word(before)} -> {_word(after)}" if plain else path


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _labelled(template: Json) -> Json:
    """Add the label that identifies a pod's template."""
    metadata = template["metadata"]
    return {
        **template,
        "metadata": {**metadata, "labels": {**metadata["labels"], TEMPLATE_LABEL: _hash(_by_value(template))}},
    }


def _by_value(node: Any) -> Any:
    """Normalize a template, so that equal quantities are equal: 1000m is 1."""
    if isinstance(node, list):
        return [_by_value(each) for each in node]
    if not isinstance(node, dict):
        return node
    amounts = {"requests", "limits"} & node.keys()
    amounts = {name for name in amounts if isinstance(node[name], dict | None)}
    rest = {name: _by_value(value) for name, value in node.items() if name not in amounts}
    return rest | {name: {what: _amount(value) for what, value in (node[name] or {}).items()} for name in amounts}


def _amount(value: Any) -> str:
    try:
        return str(quantity(value).normalize())
    except ValueError:  # podTemplate may contain anything; the API server will reject it
        return str(value)


def _holds_revision(data: Any) -> TypeGuard[RevisionData]:
    """Whether data has the shape of a revision. Others may write ControllerRevisions too."""
    if not isinstance(data, dict) or not all(isinstance(data.get(name), dict) for name in ("inputs", "template")):
        return False
    metadata, spec = (data["template"].get(name) for name in ("metadata", "spec"))
    return isinstance(spec, dict) and isinstance(metadata, dict) and isinstance(metadata.get("labels"), dict)


def _revision(body: Json) -> Revision:
    data: RevisionData = body["data"]
    annotations = body["metadata"].get("annotations", {})
    return Revision(
        name=body["metadata"]["name"],
        number=body["revision"],
        inputs=data["inputs"],
        template=data["template"],
        backend=BackendPods.from_data(data.get("backend")),
        cause=annotations.get(CAUSE_ANNOTATION, ""),
        spread=in_force(data["inputs"], data["template"]),
        was_stable=annotations.get(WAS_STABLE_ANNOTATION) == "true",
    )


def _hash(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
