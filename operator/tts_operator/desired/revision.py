"""Revisions: what the pods of a TTSService are made of, kept as ControllerRevisions.

A revision holds the pod template, and the part of the spec that it was made of. As long as that part of the spec is the
same, the template is used as it is. So an operator with other defaults, or with another idea of a good template,
restarts no pod: its defaults come with the next change of the spec, or when the user asks for them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tts_operator.api import Json, Spec, TTSService
from tts_operator.desired.identity import manifest
from tts_operator.desired.pod import pod_template

PARTS = {"model", "image", "resources", "server", "placement", "pod_template"}
"""The fields of the spec that end in the pods."""
HASH_CHARACTERS = 10


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

    def manifest(self, service: TTSService) -> Json:
        """The ControllerRevision (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/)."""
        data = {"inputs": self.inputs, "template": self.template}
        return manifest(service, "apps/v1", "ControllerRevision", name=self.name, data=data, revision=self.number)


def wanted_revision(service: TTSService, default_image: str, history: Iterable[Json]) -> Revision:
    """The newest one of `history` (ControllerRevisions) where the spec still asks for it, or else a new one."""
    revisions = sorted(map(_revision, history), key=lambda each: each.number)
    asked = inputs(service)
    if revisions and same_inputs(revisions[-1].inputs, asked, _silent()):
        return revisions[-1]
    template = pod_template(service, default_image)
    name = f"{service.name}-{_hash({'inputs': asked, 'template': template})}"
    # Where the spec goes back to what it was, this is the name of an older one, which so becomes the newest.
    number = revisions[-1].number + 1 if revisions else 1
    return Revision(name=name, number=number, inputs=asked, template=template)


def inputs(service: TTSService) -> Json:
    """What of a TTSService ends in its pods."""
    asked = _dump(service.spec)
    return {**asked, "refresh": service.refresh} if service.refresh else asked


def same_inputs(recorded: Mapping[str, Any], asked: Mapping[str, Any], silent: Mapping[str, Any]) -> bool:
    """Whether `asked` is what was recorded. `silent` is what a spec gives that says nothing.

    A field that came with a newer API, and has its default, was not recorded, and is no difference.
    """
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


def _revision(body: Json) -> Revision:
    data = body["data"]
    return Revision(
        name=body["metadata"]["name"], number=body["revision"], inputs=data["inputs"], template=data["template"]
    )


def _hash(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]
