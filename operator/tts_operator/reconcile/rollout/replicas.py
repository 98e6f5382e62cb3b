"""How many replicas to write into a Deployment without overriding an autoscaler or losing pods.

We cannot simply omit `spec.replicas` once there is an autoscaler: while we are its only owner, omitting it removes it,
and the API server's default is 1. So we keep its value until the autoscaler has written it, and owns it.

Nor can we apply the value that we last saw, because the autoscaler may have changed it since. So our first apply under
an autoscaler transfers the field to a second field manager of ours. The API server rejects the transfer if the
autoscaler was faster.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from collections.abc import Collection, Iterable, Iterator

from tts_operator.api import TTSService
from tts_operator.api.jobs import Workers
from tts_operator.desired.backend import BackendPods, BackendScale
from tts_operator.desired.backend import initial_replicas as initial_backend_replicas
from tts_operator.desired.deployment import initial_replicas
from tts_operator.desired.identity import backend_name, candidate_name, worker_name
from tts_operator.desired.worker_scaling import WorkerScale, initial_workers
from tts_operator.json_object import Json
from tts_operator.kube.resources import HORIZONTAL_POD_AUTOSCALERS, SCALED_OBJECTS
from tts_operator.objects import Deployment
from tts_operator.reconcile.observed.ownership import owned_by, we_set_replicas
from tts_operator.reconcile.observed.snapshot import Address, Observed, address, backend_of


def replicas(service: TTSService, observed: Observed, *, takes_over: bool = False) -> int | None:
    """The replicas of the Deployment with the service's name; None to omit them, because an autoscaler owns them.

    With `takes_over`, it is about to take over a candidate's traffic, and needs at least as many pods as that one.
    """
    live = observed.deployment(service.name)
    if live is None or not is_autoscaled(service, observed):
        return initial_replicas(service)
    current = live["spec"].get("replicas", 1)
    if takes_over and (load := _scaled_candidate(service, observed)) > current:
        return load
    if not we_set_replicas(live):
        return None
    autoscaling = service.spec.autoscaling
    # An autoscaler ignores a Deployment with 0 replicas, and looks at others only every 15 s.
    return current if autoscaling is None else max(current, autoscaling.min_replicas)


def _scaled_candidate(service: TTSService, observed: Observed) -> int:
    """The replicas of the candidate if the autoscaler targets it; otherwise 0."""
    name = candidate_name(service)
    scaler = observed.autoscaler(service.name)
    live = observed.deployment(name)
    if scaler is None or live is None or scaler["spec"]["scaleTargetRef"]["name"] != name:
        return 0
    return live["spec"].get("replicas", 1)


def candidate_replicas(live: Deployment | None, wanted: int, *, scaled: bool) -> int | None:
    """The replicas of a candidate's Deployment, `live`, which starts with `wanted`.

    None to omit them, because the autoscaler owns them. `scaled` says that the autoscaler targets the candidate.
    """
    if not scaled or live is None:
        return wanted
    return live["spec"].get("replicas", 1) if we_set_replicas(live) else None


def worker_scale(service: TTSService, observed: Observed) -> WorkerScale:
    """How many workers to write, and what scales them."""
    keda = (SCALED_OBJECTS.api_version, SCALED_OBJECTS.kind)
    by_keda = keda not in observed.unserved and keda not in observed.without
    return WorkerScale(replicas=_worker_replicas(service, observed, by_keda=by_keda), by_keda=by_keda)


def _worker_replicas(service: TTSService, observed: Observed, *, by_keda: bool) -> int | None:
    workers = _workers(service)
    live = observed.deployment(worker_name(service))
    if live is None or not are_workers_autoscaled(service, observed):
        return initial_workers(workers)
    current = live["spec"].get("replicas", 1)
    if workers.autoscaling is not None and not by_keda and current == 0:
        # KEDA may have left none, and a HorizontalPodAutoscaler ignores a Deployment with 0 replicas.
        return initial_workers(workers)
    return current if we_set_replicas(live) else None


def are_workers_autoscaled(service: TTSService, observed: Observed) -> bool:
    """Whether an autoscaler sets the number of workers: the spec's, or a user's own for their Deployment.

    KEDA works by an autoscaler that its ScaledObject owns.
    """
    return _workers(service).autoscaling is not None or worker_name(service) in scaled_names(
        _of_others(service, observed)
    )


def _workers(service: TTSService) -> Workers:
    jobs = service.spec.jobs
    return (jobs.workers if jobs is not None else None) or Workers()


def backend_scale(service: TTSService, observed: Observed, wanted: Collection[BackendPods]) -> BackendScale:
    """How many pods the separate backends get."""
    hashes = {pods.hash for pods in wanted}
    names = {each: backend_name(service, each) for each in hashes.union(map(backend_of, observed.backends))}
    live = {each: found for each, name in names.items() if (found := observed.deployment(name)) is not None}
    largest = max((each["spec"].get("replicas", 1) for each in live.values()), default=0)
    replicas = {each: _backend_replicas(service, live.get(each), largest) for each in hashes}
    return BackendScale(replicas=replicas, minimum=largest if len(hashes) > 1 else 0)


def _backend_replicas(service: TTSService, live: Deployment | None, largest: int) -> int | None:
    """What to write into a backend's Deployment. `largest` is how many pods the largest backend has."""
    asked, initial = service.spec.backend, initial_backend_replicas(service)
    if asked is not None and asked.is_separate and asked.autoscaling is None:
        return initial
    if live is None:
        return max(initial, largest)  # it takes over the load of another one
    current = live["spec"].get("replicas", 1)
    if asked is None or asked.autoscaling is None:  # the spec has no number for it, but it still has traffic
        return current if we_set_replicas(live) else None
    return max(initial, current) if we_set_replicas(live) else None


def leave_to_autoscaler(
    manifests: Iterable[Json], observed: Observed, scaled: Collection[str]
) -> tuple[list[Json], dict[Address, Json]]:
    """Change manifests of `scaled` Deployments so that an autoscaler may write the replicas at the same time.

    Unchanged replicas are removed from the manifest. The second result maps its address to a manifest that the other
    field manager applies first, without force, so that the field keeps an owner and does not fall back to the default.
    Changed replicas are bound to the resource version that was seen.
    """
    found: list[Json] = []
    kept: dict[Address, Json] = {}
    for manifest in manifests:
        live = observed.children.get(address(manifest))
        name, kind = manifest["metadata"]["name"], manifest["kind"]
        if live is None or kind != "Deployment" or name not in scaled or "replicas" not in manifest["spec"]:
            found.append(manifest)
        elif manifest["spec"]["replicas"] != live["spec"].get("replicas", 1):
            seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
            found.append({**manifest, "metadata": {**manifest["metadata"], **seen}})
        else:
            spec = dict(manifest["spec"])
            names = {key: live["metadata"][key] for key in ("namespace", "name", "uid")}
            kept[address(manifest)] = {
                "apiVersion": manifest["apiVersion"],
                "kind": kind,
                "metadata": names,
                "spec": {"replicas": spec.pop("replicas")},
            }
            found.append({**manifest, "spec": spec})
    return found, kept


def scaled_names(manifests: Iterable[Json]) -> set[str]:
    """Names of the Deployments that the autoscalers among these manifests or live objects target."""
    scalers = (body for body in manifests if body["kind"] == HORIZONTAL_POD_AUTOSCALERS.kind)
    targets = (body["spec"]["scaleTargetRef"] for body in scalers)
    return {target["name"] for target in targets if target["kind"] == "Deployment"}


def is_autoscaled(service: TTSService, observed: Observed) -> bool:
    """Whether an autoscaler sets the replicas: the spec's, or a user's own for the Deployment."""
    return service.spec.autoscaling is not None or service.name in scaled_names(_of_others(service, observed))


def scaled_deployments(service: TTSService, observed: Observed, desired: Iterable[Json]) -> set[str]:
    """Names of the Deployments whose replicas an autoscaler writes."""
    workers = worker_name(service)
    names = scaled_names((*desired, *observed.children.values())) - {workers}
    if not is_autoscaled(service, observed):
        names -= {service.name, candidate_name(service)}  # separate backends are left
    return names | {workers} if are_workers_autoscaled(service, observed) else names


def _of_others(service: TTSService, observed: Observed) -> Iterator[Json]:
    """Live objects that the service does not control, and that stay."""
    others = (each for each in observed.children.values() if not owned_by(each, service))
    return (each for each in others if "deletionTimestamp" not in each["metadata"])
