"""All desired children of a TTSService, in the order of their application."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tts_operator.api import TTSService
from tts_operator.api.jobs import Workers
from tts_operator.desired.backend import BackendScale, backends
from tts_operator.desired.dashboard import dashboard
from tts_operator.desired.deployment import candidate_deployment, deployment, initial_replicas
from tts_operator.desired.horizontal_pod_autoscaler import horizontal_pod_autoscaler
from tts_operator.desired.http_route import http_route
from tts_operator.desired.ingress import canary_ingress, certificate, ingress, splits_by_weight
from tts_operator.desired.monitoring import pod_monitor, prometheus_rule, worker_pod_monitor
from tts_operator.desired.monitoring.pod_monitor import backend_pod_monitor
from tts_operator.desired.network_policy import network_policy
from tts_operator.desired.persistent_volume_claim import jobs_claim, persistent_volume_claim
from tts_operator.desired.pod_disruption_budget import pod_disruption_budget, worker_disruption_budget
from tts_operator.desired.revision import Revision, revisions_of, wanted_revision
from tts_operator.desired.service import candidate_service, service_
from tts_operator.desired.service_account import service_account
from tts_operator.desired.worker import worker_deployment, workers_of
from tts_operator.desired.worker_scaling import WorkerScale, initial_workers, worker_autoscaler
from tts_operator.desired.workloads import Candidate, DesiredWorkloads
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The operator's settings for what the spec leaves open."""

    image: str
    """Reference of the bundled model server."""
    namespace: str = ""
    """Namespace of the operator; empty if unknown."""
    runbooks: str = ""
    """Address of the runbook of an alert, with {alert} for its name; empty if nobody publishes them."""
    keyring: Keyring | None = field(default=None, repr=False)
    """The source of keys for new pods; None for no keys."""


def children(
    service: TTSService,
    defaults: Defaults,
    *,
    history: Iterable[Json] = (),
    nodes: Iterable[Mapping[str, str]] = (),
    keda: bool = True,
) -> list[Json]:
    """Return the manifests of all children of a service without a rollout.

    `history` are its ControllerRevisions. `nodes` yields the labels of each node. `keda` says whether the cluster
    has it.
    """
    revision = wanted_revision(service, defaults.image, revisions_of(history), nodes=nodes, keyring=defaults.keyring)
    workloads = DesiredWorkloads(revision=revision, replicas=initial_replicas(service))
    asked = service.spec.jobs.workers if service.spec.jobs is not None else None
    scale = WorkerScale(replicas=initial_workers(asked or Workers()), by_keda=keda)
    return children_of(service, workloads, defaults, scale)


def children_of(
    service: TTSService,
    workloads: DesiredWorkloads,
    defaults: Defaults,
    worker_scale: WorkerScale,
    backend_scale: BackendScale | None = None,
) -> list[Json]:
    """Return the manifests of all children. Dependencies come first: pods need the ServiceAccount and the claim."""
    candidate = workloads.candidate
    revisions = {
        each.name: each for each in (workloads.revision, *([candidate.revision] if candidate else []), *workloads.keep)
    }
    return [
        service_account(service),
        *(each.manifest(service) for each in revisions.values() if each.recorded),
        *_claim(service, revisions.values()),
        *_jobs_claim(service, revisions.values()),
        *backends(service, workloads.backends, backend_scale or BackendScale()),
        service_(service, workloads.traffic),
        pod_disruption_budget(service),
        *(_of_candidate(service, candidate) if candidate else ()),
        deployment(service, workloads),
        *_workers(service, workloads, worker_scale),
        *_optional_children(service, workloads, defaults),
    ]


def _of_candidate(service: TTSService, candidate: Candidate) -> Iterator[Json]:
    yield candidate_deployment(service, candidate)
    if candidate.preview:
        yield candidate_service(service)
        yield pod_disruption_budget(service, of_candidate=True)


def _claim(service: TTSService, revisions: Iterable[Revision]) -> Iterator[Json]:
    """Yield the claim if a revision mounts it, as specified by the newest revision that does."""
    for revision in sorted(revisions, key=lambda each: -each.number):
        model = revision.inputs.get("model")
        if not isinstance(model, dict) or model.get("storage") is None:
            continue
        storage = revision.model.storage
        if storage is not None and storage.persistent_volume_claim is not None:
            yield persistent_volume_claim(service, storage.persistent_volume_claim)
            return


def _jobs_claim(service: TTSService, revisions: Iterable[Revision]) -> Iterator[Json]:
    """Yield the claim for jobs, likewise."""
    for revision in sorted(revisions, key=lambda each: -each.number):
        asked = revision.spec.jobs if "jobs" in revision.inputs else None
        if asked is not None and asked.storage.persistent_volume_claim is not None:
            yield jobs_claim(service, asked.storage.persistent_volume_claim)
            return


def _workers(service: TTSService, workloads: DesiredWorkloads, scale: WorkerScale) -> Iterator[Json]:
    revision = workloads.workers or workloads.revision
    workers = workers_of(service, revision)
    if workers is None:
        return
    yield worker_disruption_budget(service)
    yield worker_deployment(service, revision, workers, scale.replicas)
    if workers.autoscaling is not None:
        yield worker_autoscaler(service, workers.autoscaling, by_keda=scale.by_keda)
    if service.spec.monitoring.pod_monitor.enabled:
        yield worker_pod_monitor(service)


def _optional_children(service: TTSService, workloads: DesiredWorkloads, defaults: Defaults) -> Iterator[Json]:
    spec = service.spec
    if spec.autoscaling is not None:
        of_candidate = workloads.candidate is not None and workloads.candidate.scaled
        yield horizontal_pod_autoscaler(service, spec.autoscaling, of_candidate=of_candidate)
    if spec.network_policy.enabled:
        yield network_policy(service, defaults.namespace)
    if spec.ingress is not None:
        yield ingress(service, spec.ingress)
        if workloads.weight and splits_by_weight(spec.ingress):
            yield canary_ingress(service, spec.ingress, weight=workloads.weight)
        tls = spec.ingress.tls
        if tls is not None and tls.issuer_ref is not None and spec.ingress.host is not None:
            yield certificate(service, spec.ingress.host, tls.issuer_ref)
    if spec.gateway is not None:
        yield http_route(service, spec.gateway, weight=workloads.weight)
    yield from _monitoring(service, defaults)


def _monitoring(service: TTSService, defaults: Defaults) -> Iterator[Json]:
    spec = service.spec
    if spec.monitoring.pod_monitor.enabled:
        yield pod_monitor(service)
        if spec.backend is not None and (monitor := backend_pod_monitor(service, spec.backend)) is not None:
            yield monitor
    if spec.monitoring.prometheus_rule.enabled:
        yield prometheus_rule(service, defaults.runbooks)
    if spec.monitoring.dashboard.enabled:
        yield dashboard(service)
