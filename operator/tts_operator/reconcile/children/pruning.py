"""Which live children to delete. An unwanted child stays until its replacement works."""

from collections.abc import Collection, Sequence

from tts_operator.api import TTSService
from tts_operator.desired.identity import all_backends_name, backend_name, candidate_name, worker_name
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS, DEPLOYMENTS
from tts_operator.reconcile.observed.deployments import rolled_out
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.pods import has_ended, is_candidate
from tts_operator.reconcile.observed.routes import route_accepted
from tts_operator.reconcile.observed.snapshot import Observed, address, backend_of


def outdated(service: TTSService, observed: Observed, wanted: Sequence[Json]) -> tuple[list[Json], bool]:
    """Return the live objects to delete now, and whether others must be deleted later."""
    names = {address(manifest) for manifest in wanted}
    candidates = [
        live
        for at, live in observed.children.items()
        if at not in names and owned_by(live, service) and "deletionTimestamp" not in live["metadata"]
    ]
    kept = _kept_revisions(service, candidates)
    unwanted = [live for live in candidates if address(live) not in kept]
    delete = [live for live in unwanted if not _still_needed(service, observed, live, names)]
    return delete, len(delete) < len(unwanted)


def _kept_revisions(service: TTSService, candidates: Sequence[Json]) -> set[tuple[str, str, str]]:
    """The newest past revisions, as many as the spec keeps."""
    revisions = [live for live in candidates if live["kind"] == CONTROLLER_REVISIONS.kind]
    newest_first = sorted(revisions, key=lambda live: -live["revision"])
    return {address(live) for live in newest_first[: service.spec.rollout.revision_history_limit]}


def _asked_backends(service: TTSService, observed: Observed) -> set[str]:
    """Names of objects of separate backends that a pod still asks, also one that is stopping."""
    asked = {backend_of(pod) for pod in (*observed.pods, *observed.workers) if not has_ended(pod)} - {""}
    return {backend_name(service, each) for each in asked}


def _still_needed(
    service: TTSService, observed: Observed, live: Json, wanted: Collection[tuple[str, str, str]]
) -> bool:
    """Whether clients or pods still use an unwanted object."""
    spec = service.spec
    if live["metadata"]["name"] == candidate_name(service):
        # A controller that learns of the deleted Service before the changed route fails requests. Until its pods have
        # stopped, it has seen both.
        return live["kind"] == "Service" and any(is_candidate(pod) and not has_ended(pod) for pod in observed.pods)
    if live["metadata"]["name"] in (asked := _asked_backends(service, observed)):
        # Of a backend that is still wanted, what is unwanted is optional, such as its autoscaler.
        return (DEPLOYMENTS.api_version, DEPLOYMENTS.kind, live["metadata"]["name"]) not in wanted
    if live["kind"] == "NetworkPolicy" and live["metadata"]["name"] == all_backends_name(service):
        return bool(asked) and service.spec.network_policy.enabled
    match live["kind"]:
        case "Ingress":
            return spec.gateway is not None and not route_accepted(service, observed)
        case "HTTPRoute":
            return spec.ingress is not None and not observed.has("networking.k8s.io/v1", "Ingress", service.name)
        case "PersistentVolumeClaim":  # pods of the old revision cannot restart without it
            claim = live["metadata"]["name"]
            pods = (observed.deployment(name) for name in (service.name, worker_name(service)))
            return not all(rolled_out(each, claim=claim) for each in pods)
        case _:
            return False
