"""The stable revision: the one that serves, and that a rollback returns to. Pure.

The status names it. If it does not, as after a restore from a backup, or if its ControllerRevision is gone, it follows
from the Deployment and its pods.
"""

from collections.abc import Mapping

from tts_operator.api import TTSService
from tts_operator.desired.deployment import REVISION_ANNOTATION
from tts_operator.desired.revision import Revision
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.objects import Deployment
from tts_operator.reconcile.observed.deployments import is_complete
from tts_operator.reconcile.observed.managed_fields import extract, fields_of
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.observed.snapshot import Observed


def stable_revision(service: TTSService, observed: Observed, revisions: Mapping[str, Revision]) -> Revision | None:
    """The stable revision; None if none has ever served. `revisions` are the recorded ones, by name."""
    told = revisions.get(service.status.get("currentRevision", ""))
    if told is not None:
        return told
    live = observed.deployment(service.name)
    given = _given(live, revisions) if live is not None and owned_by(live, service) else None
    if live is None or given is None or is_complete(live):
        return given
    # It is replacing pods. The revision of most ready pods is the one that served before.
    ready = {
        each.name: len(pods_of(observed, each, in_place=True, ready=True)) for each in (*revisions.values(), given)
    }
    most = max({**revisions, given.name: given}.values(), key=lambda each: (ready[each.name], -each.number))
    if ready[most.name]:
        return most
    return given if live.get("status", {}).get("availableReplicas") else None


def is_lost(service: TTSService, revisions: Mapping[str, Revision]) -> bool:
    """Whether the ControllerRevision of the stable revision was deleted."""
    current = service.status.get("currentRevision")
    return current is not None and current not in revisions


def _given(live: Deployment, revisions: Mapping[str, Revision]) -> Revision | None:
    """The revision last applied to a Deployment; without its ControllerRevision, as much as the Deployment shows."""
    name = live["metadata"].get("annotations", {}).get(REVISION_ANNOTATION, "")
    if not name or name in revisions:
        return revisions.get(name)
    template = extract(live, fields_of(live, FIELD_MANAGER)).get("spec", {}).get("template")
    if template is None:
        return None
    return Revision(name=name, number=0, inputs={}, template=template, recorded=False)
