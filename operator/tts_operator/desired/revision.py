"""Revisions: what the pods of a TTSService are made of, kept as ControllerRevisions.

A revision holds the pod template, and the part of the spec that it was made of. As long as that part of the spec is the
same, the template is used as it is. So an operator with other defaults, or with another idea of a good template,
restarts no pod: its defaults come with the next change of the spec, or when the user asks for them.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import ValidationError

from tts_operator.api import Spec, TTSService
from tts_operator.api.model import Model
from tts_operator.api.quantity import quantity
from tts_operator.desired.identity import manifest
from tts_operator.desired.pod import pod_template
from tts_operator.desired.spread import in_force, resolved
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring

PARTS = {"model", "image", "resources", "server", "placement", "pod_template"}
"""The fields of the spec that end in the pods."""
HASH_CHARACTERS = 10
TEMPLATE_LABEL = "tts-operator.io/template-hash"
CAUSE_ANNOTATION = "tts-operator.io/cause"
CAUSE_MAX = 250


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What the pods are made of."""

    name: str
    """Of the ControllerRevision."""
    number: int
    """Counted from 1; the newest has the largest."""
    inputs: Json
    """The part of the spec that it was made of, with the defaults of that time."""
    template: Json
    """The pod template."""
    cause: str = ""
    """Why it was made, for people."""
    spread: str = ""
    """How strictly its pods are spread over zones, as `status.zoneSpread` has it; empty where that is not known."""
    recorded: bool = True
    """False: there is no ControllerRevision; it is known only by what its Deployment was given."""

    @property
    def model(self) -> Model:
        """The model that its pods load; the default where the record cannot be read."""
        try:
            return Model.model_validate(self.inputs.get("model", {}))
        except ValidationError:
            return Model()

    @property
    def spec(self) -> Spec:
        """The spec that it was made of; fields that do not end in the pods have their defaults.

        All have them where the record cannot be read, as one that somebody has edited.
        """
        try:
            return Spec.model_validate({name: value for name, value in self.inputs.items() if name != "refresh"})
        except ValidationError:
            return Spec()

    @property
    def template_hash(self) -> str:
        """The same for all revisions with the same pods; empty where the template is from before there was one."""
        found: str = self.template["metadata"].get("labels", {}).get(TEMPLATE_LABEL, "")
        return found

    def stripped(self) -> "Revision":
        """Without what takes memory: enough to tell of it, and to know its pods."""
        labels = {TEMPLATE_LABEL: self.template_hash} if self.template_hash else {}
        model = {name: self.inputs[name] for name in ("model",) if name in self.inputs}
        return replace(self, inputs=model, template={"metadata": {"labels": labels}})

    def has_pods_of(self, other: "Revision") -> bool:
        """Whether both make the same pods."""
        return self.template == other.template or self.template_hash == other.template_hash != ""

    def manifest(self, service: TTSService) -> Json:
        """The ControllerRevision (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/)."""
        data = {"inputs": self.inputs, "template": self.template}
        annotations = {CAUSE_ANNOTATION: self.cause} if self.cause else None
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
    """The revisions that ControllerRevisions hold, the newest last. What holds none is left out."""
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
    """The newest one of `revisions` where the spec still asks for it, or else an older one, or a new one.

    `nodes` are the labels of each node, none where they are not known. They decide about a new one only: pods that run
    stay as they are when zones come or go. So does the `keyring`: a key that was lost restarts no pod.
    """
    asked = inputs(service)
    if revisions and _still_asked(revisions[-1].inputs, asked):
        return revisions[-1]
    cause = (service.cause or (change(revisions[-1].inputs, asked) if revisions else ""))[:CAUSE_MAX]
    number = revisions[-1].number + 1 if revisions else 1
    # The spec goes back to what it was: an older one becomes the newest, the one that runs before all others.
    stable = service.status.get("currentRevision")
    for each in sorted(revisions, key=lambda each: (each.name != stable, -each.number)):
        if _still_asked(each.inputs, asked):
            return replace(each, number=number, cause=cause)
    template = _labelled(pod_template(service, default_image, resolved(service.spec, nodes), keyring))
    name = f"{service.name}-{_hash({'inputs': asked, 'template': template})}"
    return Revision(
        name=name, number=number, inputs=asked, template=template, cause=cause, spread=in_force(asked, template)
    )


def inputs(service: TTSService) -> Json:
    """What of a TTSService ends in its pods."""
    asked = _dump(service.spec)
    return {**asked, "refresh": service.refresh} if service.refresh else asked


def _still_asked(recorded: Json, asked: Json) -> bool:
    """Whether `asked` is what a revision was made of.

    `whenUnsatisfiable` had the default DoNotSchedule once. The API server has stored it in the objects of that time,
    and it is in the inputs of their revisions. An object that is replaced by one without the field asks for nothing
    new: its pods stay, strictly spread, until another field changes or somebody asks for the present defaults.
    """
    return same_inputs(recorded, asked, _silent()) or same_inputs(recorded, _with_old_default(asked), _silent())


def _with_old_default(asked: Json) -> Json:
    placement = asked["placement"]
    spread = {"whenUnsatisfiable": "DoNotSchedule", **placement["zoneSpread"]}
    return {**asked, "placement": {**placement, "zoneSpread": spread}}


def same_inputs(recorded: Mapping[str, Any], asked: Mapping[str, Any], silent: Mapping[str, Any]) -> bool:
    """Whether `asked` is what was recorded. `silent` is what a spec gives that says nothing.

    A field that came with a newer API, and has its default, was not recorded, and is no difference.
    """
    if recorded == asked:
        return True  # mostly so, and many times as fast
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
    return spec.model_dump(include=PARTS, by_alias=True, exclude_none=True, mode="json")


def change(before: Json, after: Json) -> str:
    """What is different in the inputs of two revisions, in words."""
    return "; ".join(_changes(before, after, ""))


def _changes(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict) and path != "podTemplate":
        for name in sorted(before.keys() | after.keys()):
            yield from _changes(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif before != after:
        # A pod template, or a list, may be long, or hold what is nobody's business.
        plain = not isinstance(before, dict | list) and not isinstance(after, dict | list)
        yield f"{path}: {_word(before)} -> {_word(after)}" if plain else path


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _labelled(template: Json) -> Json:
    """With a label that tells by which template a pod was made."""
    metadata = template["metadata"]
    return {
        **template,
        "metadata": {**metadata, "labels": {**metadata["labels"], TEMPLATE_LABEL: _hash(_by_value(template))}},
    }


def _by_value(node: Any) -> Any:
    """The same for templates that differ only in how amounts are written: 1000m is 1."""
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
    except ValueError:  # podTemplate may hold anything; the API server refuses it
        return str(value)


def _holds_revision(data: Any) -> bool:
    """Whether it has the shape of what we keep. Others may write ControllerRevisions too."""
    if not isinstance(data, dict) or not all(isinstance(data.get(name), dict) for name in ("inputs", "template")):
        return False
    metadata, spec = (data["template"].get(name) for name in ("metadata", "spec"))
    return isinstance(spec, dict) and isinstance(metadata, dict) and isinstance(metadata.get("labels"), dict)


def _revision(body: Json) -> Revision:
    data = body["data"]
    return Revision(
        name=body["metadata"]["name"],
        number=body["revision"],
        inputs=data["inputs"],
        template=data["template"],
        cause=body["metadata"].get("annotations", {}).get(CAUSE_ANNOTATION, ""),
        spread=in_force(data["inputs"], data["template"]),
    )


def _hash(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
