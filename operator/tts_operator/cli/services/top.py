"""`kubectl tts top`: what services do now, by the metrics of their pods."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tts_operator.api.quantity import quantity
from tts_operator.cli import output as printing
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.output import Cell
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.services.metrics import Scrape, Use, parsed, use
from tts_operator.cli.view import BACKEND, CONTAINER
from tts_operator.cli.wording import size
from tts_operator.json_object import Json

SERVERS = "app.kubernetes.io/managed-by=tts-operator,app.kubernetes.io/part-of=tts-operator"
BACKENDS = "app.kubernetes.io/managed-by=tts-operator,app.kubernetes.io/name=tts-backend"
"""The pods of separate backends, which have other metrics or none, but cost."""
INSTANCE = "app.kubernetes.io/instance"
PORT = 7860
PODS_MAX = 100
"""Pods that are scraped at most: each takes a run of kubectl."""
AT_ONCE = 8
GIBIBYTE = 1 << 30
_GPU = re.compile(r"/v?gpu(\.shared|-number)?$|/mig-|^gpu\.intel\.com/(i915|xe)$|^huawei\.com/Ascend\w+$")
"""What is counted in GPUs, or slices of them: not their memory, cores, or monitoring."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What an hour costs, in the user's currency; None: not known."""

    core: float | None = None
    gibibyte: float | None = None
    gpu: float | None = None

    @property
    def known(self) -> bool:
        """Whether there is a price."""
        return not (self.core is self.gibibyte is self.gpu is None)


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod, and what it reserves."""

    name: str
    namespace: str
    service: str
    cores: float
    """Requested."""
    memory: float
    """Requested, in bytes."""
    gpus: float = 0.0
    """Requested, whole ones or slices. What it claims dynamically is unknown here."""


def run(kubectl: Kubectl, name: str | None, seconds: float, prices: Prices, output: str | None, *, by_pod: bool) -> int:
    """Scrape the pods twice and print what they did in between."""
    pods = _pods(kubectl, name)
    # By pod, each line is a server's.
    backends = _backends(kubectl, name) if prices.known and not by_pod else []
    began = time.monotonic()
    before = _scrapes(kubectl, pods)
    time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    apart = time.monotonic() - began
    after = _scrapes(kubectl, pods)
    groups: dict[str, list[Pod]] = {}
    for pod in pods:
        groups.setdefault(pod.name if by_pod else pod.service, []).append(pod)
    rows = {key: _use(each, before, after, apart) for key, each in sorted(groups.items())}
    costs = {key: cost([*groups[key], *(each for each in backends if each.service == key)], prices) for key in rows}
    if output:
        documents = [_document(key, rows[key], costs[key] if prices.known else None) for key in rows]
        printing.document(documents, output)
    else:
        head, cells = table(rows, groups, costs if prices.known else None, by_pod=by_pod)
        printing.table(head, cells)
    return 0


def table(
    rows: Mapping[str, Use], groups: Mapping[str, Sequence[Pod]], costs: Mapping[str, float] | None, *, by_pod: bool
) -> tuple[Sequence[str], list[Sequence[Cell]]]:
    """Return the head and the rows. ``costs`` are for an hour; without them, there are no columns for them."""
    cost = () if costs is None else ("COST/H", "COST/AUDIO-H")
    head = (
        "POD" if by_pod else "NAME",
        "PODS",
        "REQ/S",
        "ERRORS",
        "BUSY",
        "P99",
        "RTF",
        "QUEUE",
        "CACHE",
        "CPU",
        "MEMORY",
        *cost,
    )
    hourly: Mapping[str, float | None] = costs or dict.fromkeys(rows)
    return head, [_row(key, each, len(groups[key]), hourly[key]) for key, each in rows.items()]


def cost(pods: Iterable[Pod], prices: Prices) -> float:
    """Return what the pods' requests cost in an hour."""
    found = list(pods)
    cores = sum(each.cores for each in found) * (prices.core or 0.0)
    memory = sum(each.memory for each in found) / GIBIBYTE * (prices.gibibyte or 0.0)
    return cores + memory + sum(each.gpus for each in found) * (prices.gpu or 0.0)


def _row(key: str, found: Use, pods: int, hourly: float | None) -> Sequence[Cell]:
    missing = found.pods < pods
    cells: list[Cell] = [
        key,
        (f"{found.pods}/{pods}", "yellow" if missing else ""),
        f"{found.requests:.1f}",
        (_share(found.errors, found.requests), "red" if found.errors else ""),
        (_share(found.busy, found.requests), "yellow" if found.busy else ""),
        "-" if found.p99 is None else f"{found.p99:.2f} s",
        "-" if found.real_time_factor is None else f"{found.real_time_factor:.3f}",
        f"{found.queue:.0f} ({found.queue_seconds:.1f} s)",
        "-" if found.hit_rate is None else f"{found.hit_rate:.0%}",
        f"{found.cpu:.2f}",
        size(found.memory),
    ]
    if hourly is not None:
        cells += [f"{hourly:.3f}", f"{hourly / found.audio:.3f}" if found.audio else "-"]
    return cells


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _document(key: str, found: Use, hourly: float | None) -> Json:
    measured = {_camel(name): value for name, value in dataclasses.asdict(found).items()}
    derived = {"realTimeFactor": found.real_time_factor, "hitRate": found.hit_rate}
    return {"name": key, **measured, **derived, "costPerHour": hourly}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _use(pods: Sequence[Pod], before: Mapping[str, Scrape], after: Mapping[str, Scrape], seconds: float) -> Use:
    both = [(before[each.name], after[each.name]) for each in pods if each.name in before and each.name in after]
    return use(both, seconds)


def _pods(kubectl: Kubectl, name: str | None) -> list[Pod]:
    selector = f"{SERVERS},{INSTANCE}={name}" if name else SERVERS
    bodies = (
        kubectl.json("get", "pods", f"--selector={selector}", "--field-selector=status.phase=Running").get("items")
        or []
    )
    if not bodies:
        if name:
            kubectl.service(name)  # refuses an unknown name, with those that exist
        raise RefusedError("no pod of a TTSService runs in this namespace; `kubectl tts get -A` lists the services")
    if len(bodies) > PODS_MAX:
        raise RefusedError(
            f"{len(bodies)} pods run here, and {PODS_MAX} can be asked at once; name a service, or use your dashboards"
        )
    return [_pod(each) for each in bodies]


def _backends(kubectl: Kubectl, name: str | None) -> list[Pod]:
    """Return the pods of separate backends."""
    selector = f"{BACKENDS},{INSTANCE}={name}" if name else BACKENDS
    found = kubectl.json("get", "pods", f"--selector={selector}", "--field-selector=status.phase=Running")
    return [_pod(each) for each in found.get("items") or []]


def _pod(body: Json) -> Pod:
    metadata, spec = body["metadata"], body["spec"]
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    # A backend as a sidecar runs as long as its server.
    requests = [
        each.get("resources", {}).get("requests") or {}
        for each in containers
        if each.get("name") in {CONTAINER, BACKEND}
    ]
    return Pod(
        name=metadata["name"],
        namespace=metadata["namespace"],
        service=(metadata.get("labels") or {}).get(INSTANCE, "-"),
        cores=sum(float(quantity(each.get("cpu", 0))) for each in requests),
        memory=sum(float(quantity(each.get("memory", 0))) for each in requests),
        gpus=sum(float(quantity(number)) for each in requests for key, number in each.items() if _GPU.search(key)),
    )


def _scrapes(kubectl: Kubectl, pods: Sequence[Pod]) -> dict[str, Scrape]:
    """Scrape all pods through the API server. Raises UnreachableError if none answers."""
    errors: list[str] = []

    def scrape(pod: Pod) -> Scrape | None:
        try:
            return parsed(
                kubectl.run("get", f"--raw=/api/v1/namespaces/{pod.namespace}/pods/{pod.name}:{PORT}/proxy/metrics")
            )
        except UnreachableError as error:
            errors.append(str(error))
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip((each.name for each in pods), pool.map(scrape, pods), strict=True))
    scrapes = {name: each for name, each in found.items() if each is not None}
    if not scrapes:
        raise UnreachableError(f"no pod answers: {errors[0]}. You need the right to `get` pods/proxy")
    return scrapes
