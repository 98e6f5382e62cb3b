"""How many replicas to write into the Deployment, so that an autoscaler is never undone, and pods are never lost.

`spec.replicas` cannot simply be left out once there is an autoscaler: as long as nobody else has set it, leaving it out
removes it, and the API server's default is 1. So it is kept as it is until the autoscaler has written it, and owns it.

Nor can it be applied as it was last seen: the autoscaler may have written it meanwhile. The first apply under an
autoscaler leaves it to another field manager of ours, which the API server refuses where the autoscaler was faster.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from collections.abc import Collection, Iterable

from tts_operator.api import TTSService
from tts_operator.desired.deployment import initial_replicas
from tts_operator.desired.identity import candidate_name
from tts_operator.json_object import Json
from tts_operator.kube.resources import HORIZONTAL_POD_AUTOSCALERS
from tts_operator.reconcile.observed.ownership import owned_by, we_set_replicas
from tts_operator.reconcile.observed.snapshot import Address, Observed, address


def replicas(service: TTSService, observed: Observed, *, takes_over: bool = False) -> int | None:
    """What to write into the Deployment that bears the service's name; None: nothing, an autoscaler has written it.

    It `takes_over` where it gets the traffic of a candidate, if there is one which an autoscaler has made larger.
    """
    live = observed.child("apps/v1", "Deployment", service.name)
    if live is None or not is_autoscaled(service, observed):
        return initial_replicas(service)
    current: int = live["spec"].get("replicas", 1)
    if takes_over and (load := _scaled_candidate(service, observed)) > current:
        return load
    if not we_set_replicas(live):
        return None
    autoscaling = service.spec.autoscaling
    # An autoscaler leaves alone what has no replicas, and looks at the rest only every 15 s.
    return current if autoscaling is None else max(current, autoscaling.min_replicas)


def _scaled_candidate(service: TTSService, observed: Observed) -> int:
    """The replicas of the candidate, where the autoscaler is about it; 0 otherwise."""
    name = candidate_name(service)
    scaler = observed.child(HORIZONTAL_POD_AUTOSCALERS.api_version, HORIZONTAL_POD_AUTOSCALERS.kind, service.name)
    live = observed.child("apps/v1", "Deployment", name)
    if scaler is None or live is None or scaler["spec"]["scaleTargetRef"]["name"] != name:
        return 0
    return int(live["spec"].get("replicas", 1))


def candidate_replicas(live: Json | None, wanted: int, *, scaled: bool) -> int | None:
    """What to write into a candidate's Deployment, `live`, which is to begin with as many as `wanted`.

    None: nothing, an autoscaler, which is about it while it is `scaled`, has written it.
    """
    if not scaled or live is None:
        return wanted
    return int(live["spec"].get("replicas", 1)) if we_set_replicas(live) else None


def leave_to_autoscaler(
    manifests: Iterable[Json], observed: Observed, scaled: Collection[str]
) -> tuple[list[Json], dict[Address, Json]]:
    """The same, where an autoscaler may write the replicas of a `scaled` Deployment while they are applied.

    Replicas that stay as they are, are left out of its manifest. By its address is told what is to be applied without
    force, and in the name of another manager, before it: so they are owned, and do not fall to the default. Replicas
    that change are applied to the version that was seen only.
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
    """The Deployments that autoscalers among some manifests or live objects are about."""
    scalers = (body for body in manifests if body["kind"] == HORIZONTAL_POD_AUTOSCALERS.kind)
    targets = (body["spec"]["scaleTargetRef"] for body in scalers)
    return {target["name"] for target in targets if target["kind"] == "Deployment"}


def is_autoscaled(service: TTSService, observed: Observed) -> bool:
    """Whether an autoscaler decides: the one that the spec asks for, or one of the user's own on the Deployment."""
    others = (each for each in observed.children.values() if not owned_by(each, service))
    return service.spec.autoscaling is not None or service.name in scaled_names(
        each for each in others if "deletionTimestamp" not in each["metadata"]
    )
