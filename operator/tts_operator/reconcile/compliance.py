"""Check a TTSService, and what is about to run for it, against the policy. Pure."""

from collections.abc import Iterable

from tts_operator.api import TTSService
from tts_operator.desired import Defaults
from tts_operator.desired.pod.template import image_reference
from tts_operator.desired.revision import Revision, wanted_revision
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.policy import Bounds, Violation, message, misshapen, origins_in, spec_violations, template_violations
from tts_operator.reconcile.children.diff import has_template
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.snapshot import Observed, address

REFRESH = "kubectl annotate ttsservice {name} tts-operator.io/refresh=$(date +%s) --overwrite"


def of_spec(service: TTSService, bounds: Bounds) -> str:
    """What the policy forbids of the spec itself; empty if nothing. A forbidden spec cannot become a revision."""
    found = [*misshapen(service.spec.pod_template), *spec_violations(service.spec, bounds)]
    return message(found, service.namespace) if found else ""


def of_spec_revision(service: TTSService, spec_revision: Revision, defaults: Defaults, bounds: Bounds) -> str:
    """What the policy forbids of the spec's revision; empty if nothing.

    A revision keeps the template that an older operator created. If only that violates the policy, a refresh helps.
    """
    found = _of_revision(service, spec_revision, defaults, bounds)
    if not found:
        return ""
    told = message(found, service.namespace)
    fresh = wanted_revision(service, defaults.image, ())
    same = fresh.template == spec_revision.template and fresh.backend == spec_revision.backend
    if same or _of_revision(service, fresh, defaults, bounds):
        return told
    return (
        f"the pod template of revision {spec_revision.number}, which an older operator created, is not allowed: "
        f"{told}. Alternatively, create it again, which is allowed: {REFRESH.format(name=service.name)}"
    )


def of_others(
    service: TTSService, manifests: Iterable[Json], spec_revision: Revision, observed: Observed, bounds: Bounds
) -> str:
    """What the policy forbids of other revisions that would start to run; empty if nothing.

    An older revision may predate the policy, or someone may have edited its ControllerRevision. A Deployment that
    already runs this very template may stay, so that a corrected spec can be rolled out beside it.
    """
    backend = spec_revision.backend.template if spec_revision.backend is not None else None
    for manifest in manifests:
        template = manifest["spec"]["template"]
        if template in (spec_revision.template, backend):
            continue
        found = template_violations(template, bounds, account=service.name, field="template")
        if found and not _runs_already(service, observed.children.get(address(manifest)), template):
            metadata = manifest["metadata"]
            name = metadata.get("annotations", {}).get("tts-operator.io/revision", metadata["name"])
            return (
                f"revision {name}, which would run again, is not allowed: {message(found, service.namespace)}. "
                "Alternatively, apply an allowed spec, and remove any undo (annotation tts-operator.io/undo)"
            )
    return ""


def _of_revision(service: TTSService, revision: Revision, defaults: Defaults, bounds: Bounds) -> list[Violation]:
    found = _of_template(service, revision.template, defaults, bounds)
    if revision.backend is not None:
        found += _of_template(service, revision.backend.template, defaults, bounds, field="spec.backend")
    return found


def _of_template(
    service: TTSService, template: Json, defaults: Defaults, bounds: Bounds, *, field: str = "spec.podTemplate"
) -> list[Violation]:
    origins = origins_in(service.spec, image_reference(service.spec.image, defaults.image))
    return template_violations(template, bounds, account=service.name, field=field, origins=origins)


def _runs_already(service: TTSService, live: Json | None, template: Json) -> bool:
    return live is not None and owned_by(live, service) and has_template(live, template, FIELD_MANAGER)
