"""Which live children to delete. An unwanted child stays until its replacement works."""

from collections.abc import Sequence

from tts_operator.api import TTSService
from tts_operator.desired.identity import candidate_name, worker_name
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS
from tts_operator.reconcile.observed.deployments import rolled_out
from tts_operator.reconcile.observed.ownership import owned_by
from tts_operator.reconcile.observed.routes import route_accepted
from tts_operator.reconcile.observed.snapshot import Observed, address


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
    delete = [live for live in unwanted if not _still_needed(service, observed, live)]
    return delete, len(delete) < len(unwanted)


def _kept_revisions(service: TTSService, candidates: Sequence[Json]) -> set[tuple[str, str, str]]:
    """The newest past revisions, as many as the spec keeps."""
    revisions = [live for live in candidates if live["kind"] == CONTROLLER_REVISIONS.kind]
    newest_first = sorted(revisions, key=lambda live: -live["revision"])
    return {address(live) for live in newest_first[: service.spec.rollout.revision_history_limit]}


def _still_needed(service: TTSService, observed: Observed, live: Json) -> bool:
    """Whether clients or pods still use an unwanted object."""
    spec = service.spec
    if live["metadata"]["name"] == candidate_name(service):
        return False
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
