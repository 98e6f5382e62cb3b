"""Checks a TTSService against the operator's policy, with the operator's own functions."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tts_operator import SERVER_IMAGE
from tts_operator.api import TTSService
from tts_operator.cli.refused import RefusedError
from tts_operator.desired.pod.template import image_reference
from tts_operator.desired.revision import wanted_revision
from tts_operator.json_object import Json
from tts_operator.policy import (
    Bounds,
    Policy,
    PolicyError,
    Violation,
    load,
    message,
    misshapen,
    origins_in,
    spec_violations,
    template_violations,
)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The policy, and the image that specs without one get."""

    policy: Policy = field(default_factory=Policy)
    server_image: str = SERVER_IMAGE


def rules_of(path: Path | None) -> Rules:
    """Read a policy file, or the Helm values that contain one. Raises RefusedError."""
    if path is None:
        return Rules()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        content = None  # `load` says what is wrong
    try:
        if not (isinstance(content, dict) and isinstance(content.get("policy"), dict)):
            return Rules(policy=load(path))
        with tempfile.TemporaryDirectory() as folder:  # so that errors are those of the policy file
            part = Path(folder) / f"{path.name}: policy"
            part.write_text(yaml.safe_dump(content["policy"]), encoding="utf-8")
            try:
                policy = load(part)
            except PolicyError as error:
                raise PolicyError(str(error).replace(str(part), f"{path}: policy")) from None
        repository = (content.get("serverImage") or {}).get("repository")
        return Rules(policy=policy, server_image=repository or SERVER_IMAGE)
    except PolicyError as error:
        raise RefusedError(str(error)) from None


def violations(body: Json, rules: Rules, namespace: str) -> list[str]:
    """Return what the policy does not allow, each with its field first. The body must match the schema."""
    service = TTSService.parse({**body, "metadata": {**body["metadata"], "namespace": namespace, "uid": ""}})
    bounds = rules.policy.for_namespace(namespace, rules.server_image)
    found = [*misshapen(service.spec.pod_template), *spec_violations(service.spec, bounds)]
    if not misshapen(service.spec.pod_template):
        found += _of_pods(service, rules.server_image, bounds)
    return [message([each], namespace) for each in dict.fromkeys(found)]


def _of_pods(service: TTSService, server_image: str, bounds: Bounds) -> list[Violation]:
    """Find what the policy does not allow of the pods that follow from the spec."""
    origins = origins_in(service.spec, image_reference(service.spec.image, server_image))
    revision, own = wanted_revision(service, server_image, ()), service.name
    found = template_violations(revision.template, bounds, account=own, origins=origins)
    if revision.backend is not None:
        backend = revision.backend.template
        found += template_violations(backend, bounds, account=own, field="spec.backend", origins=origins)
    return found
