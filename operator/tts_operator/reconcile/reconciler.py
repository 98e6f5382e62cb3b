"""One pass over one TTSService: observe, decide, plan, apply, report."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import cast

import aiohttp

from tts_operator.api import InvalidSpecError, TTSService
from tts_operator.desired import Defaults
from tts_operator.desired.identity import WORKER_SUFFIX
from tts_operator.desired.revision import wanted_revision
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import OPTIONAL, WATCHED_UNLABELLED, Resource
from tts_operator.objects import Pod
from tts_operator.policy import Bounds, Policy
from tts_operator.reconcile.analysis.model import NO_RESULT
from tts_operator.reconcile.analysis.runner import AnalysisRunner
from tts_operator.reconcile.children.applier import ChildApplier
from tts_operator.reconcile.children.changes import Applied, Changes
from tts_operator.reconcile.compliance import of_spec, of_spec_revision
from tts_operator.reconcile.observed.pods import is_backend, is_worker
from tts_operator.reconcile.observed.snapshot import Address, Observed, address
from tts_operator.reconcile.observed.trimming import is_unseen, whole
from tts_operator.reconcile.plan import Plan, compare, decide
from tts_operator.reconcile.plan_cache import PlanCache
from tts_operator.reconcile.rollout.decision import RolloutDecision
from tts_operator.reconcile.rollout.state import RolloutState
from tts_operator.reconcile.status.autoscaler import seconds_until_it_counts
from tts_operator.reconcile.status.report import compute_status, counts_are_stale, invalid_spec_status
from tts_operator.reconcile.status.writer import StatusWriter
from tts_operator.runtime.store import Key, Store
from tts_operator.runtime.workers import RetryError

REFUSED_AGAIN_SECONDS = 60.0
"""Retry after a refusal: its cause may go away without an event, as when a quota is raised."""
LASTING_FAILURES = 3
"""Consecutive passes that must fail before the status reports it, so that a blip goes unnoticed."""

_log = logging.getLogger(__name__)
_DEFAULT_POLICY = Policy()


class Reconciler:
    """Reconciles one TTSService at a time per key."""

    def __init__(
        self,
        client: Client,
        *,
        services: Store,
        children: Mapping[Resource, Store],
        pods: Store,
        zones: Mapping[str, str],
        nodes: Iterable[Mapping[str, str]] = (),
        defaults: Defaults,
        served: Callable[[Resource], bool] = lambda _: True,
        without: Collection[Resource] = (),
        analysis_runner: AnalysisRunner | None = None,
        policy: Policy = _DEFAULT_POLICY,
    ) -> None:
        """`children` has a store for each kind except those in `without`, which the operator does not create.

        `services` holds the TTSServices as JSON. `zones` maps nodes to zones, `nodes` yields the labels of each node,
        and `served` says whether a kind exists. Without an `analysis_runner`, new revisions are not analyzed.
        """
        self._applier = ChildApplier(client, children)
        self._status_writer = StatusWriter(client, services)
        self._failures: dict[Key, int] = {}
        self._plans = PlanCache()
        self._services = services
        self._children = children
        self._pods = pods
        self._zones = zones
        self._nodes = nodes
        self._defaults = defaults
        self._served = served
        self._without = frozenset((kind.api_version, kind.kind) for kind in without)
        self._analysis_runner = analysis_runner
        self._policy = policy

    async def reconcile(self, key: Key) -> float | None:
        """Run one pass. Returns the seconds until another pass is due, or None. Raises RetryError."""
        body = self._services.get(*key)
        if body is None:
            self._status_writer.forget(key)
            self._failures.pop(key, None)
            self._plans.forget(key)
            if self._analysis_runner is not None:
                self._analysis_runner.forget(key)
            return None
        try:
            return await self._pass(key, body)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND or error.namespace_ends:
                return None  # deleted in the meantime, or its namespace is
            raise RetryError(str(error), after=error.retry_after or 0.0) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RetryError(f"cannot reach the API server: {str(error) or type(error).__name__}") from error

    async def _pass(self, key: Key, body: Json) -> float | None:
        """Observe, decide the rollout, compare the children, apply, write the status."""
        if "deletionTimestamp" in body["metadata"]:
            return None
        try:
            service = TTSService.parse(body)
        except InvalidSpecError as error:
            status = invalid_spec_status(body, str(error), self._status_writer.now())
            return await self._status_writer.write(body, status)
        observed = self._observe(service)
        if is_unseen(body) and not observed.children and await self._record_first_revision(service):
            return 0.0
        plan = self._plans.find(service, observed) or self._plan(service, observed)
        if plan.decision is not None and has_moved(service, plan.decision):
            return await self._write_decision(service, body, observed, plan)
        applied = await self._apply(key, service, plan)
        return await self._conclude(service, body, observed, plan, applied)

    def _plan(self, service: TTSService, observed: Observed) -> Plan:
        """Decide where the rollout goes, and compare the children that follow from that with the live ones."""
        key = service.namespace, service.name
        opened = replace(observed, children={at: whole(body) for at, body in observed.children.items()})
        bounds = self._bounds(service)
        result = self._analysis_runner.result(key) if self._analysis_runner is not None else NO_RESULT
        now = self._status_writer.now()
        decision = decide(service, opened, self._defaults, bounds, now=now, analysis_result=result)
        found = compare(service, opened, decision, self._defaults, bounds)
        self._plans.keep(service, observed, found)
        return found

    async def _write_decision(self, service: TTSService, body: Json, observed: Observed, plan: Plan) -> float:
        """Write where the rollout goes before acting on it, so that the next leader continues from there.

        The next pass acts on it, immediately if the write succeeds.
        """
        status = compute_status(service, observed, plan, Applied(), self._status_writer.now())
        return await self._status_writer.write(body, status) or 0.0

    async def _apply(self, key: Key, service: TTSService, plan: Plan) -> Applied:
        """Carry out a plan. Raises a failure, unless it has occurred several times in a row."""
        applied = await self._applier.apply(service, plan)
        if applied.failure is None:
            self._failures.pop(key, None)
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] < LASTING_FAILURES:
                raise applied.failure
        return applied

    async def _conclude(
        self, service: TTSService, body: Json, before: Observed, plan: Plan, applied: Applied
    ) -> float | None:
        """Write the status. Returns the seconds until another pass is due, or None."""
        key = service.namespace, service.name
        observed = before
        if plan.apply or plan.delete:
            observed = self._observe(service)
            if applied.complete:
                self._plans.applied(key, observed.children)
        now = self._status_writer.now()
        again = None
        if not self._is_quiet(service, observed, plan, applied):
            status = compute_status(service, observed, plan, applied, now)
            again = await self._status_writer.write(body, status)
        if applied.failure is not None:
            raise applied.failure
        decision = plan.decision
        if self._analysis_runner is not None:
            self._analysis_runner.request(service, decision.analysis_request if decision else None)
        if plan.waiting and observed.children.keys() - before.children.keys():
            # A deletion may wait for this new child. Our apply has already cached it, so no event will follow.
            return 0.0
        due = (
            again,
            decision.again if decision else None,
            REFUSED_AGAIN_SECONDS if applied.refusals else None,
            seconds_until_it_counts(service, observed, now),
        )
        return min((seconds for seconds in due if seconds is not None), default=None)

    @staticmethod
    def _is_quiet(service: TTSService, observed: Observed, plan: Plan, applied: Applied) -> bool:
        """Whether to skip the status, because only the Deployment's generation is new, so that its counts are stale."""
        told = service.status.get("observedGeneration") == service.generation
        news = plan.apply or plan.violation or applied.refusals
        return told and not news and counts_are_stale(service, observed)

    async def _record_first_revision(self, service: TTSService) -> bool:
        """Create the ControllerRevision of a new service, and nothing else.

        The first pass is this short so that, when many services are created at once, all of them start soon. Returns
        whether it succeeded; if not, the next passes report the problem.
        """
        if service.spec.paused:
            return False
        bounds = self._bounds(service)
        if of_spec(service, bounds):
            return False
        keyring = self._defaults.keyring
        revision = wanted_revision(service, self._defaults.image, (), nodes=self._nodes, keyring=keyring)
        if of_spec_revision(service, revision, self._defaults, bounds):
            return False
        applied = await self._applier.apply(service, Changes(apply=[revision.manifest(service)]))
        return applied.complete

    def children_unchanged(self, key: Key) -> bool:
        """Whether the children, apart from their status, are as they were when there was last nothing left to do."""
        return self._plans.unchanged(key, self._kept(key))

    def _bounds(self, service: TTSService) -> Bounds:
        return self._policy.for_namespace(service.namespace, self._defaults.image)

    def _observe(self, service: TTSService) -> Observed:
        key = service.namespace, service.name
        pods = cast("list[Pod]", self._pods.of(key))
        return Observed(
            children=self._kept(key),
            pods=[pod for pod in pods if not is_worker(pod) and not is_backend(pod)],
            workers=[pod for pod in pods if is_worker(pod)],
            backends=[pod for pod in pods if is_backend(pod)],
            zones=self._zones,
            nodes=self._nodes,
            unserved=_unserved(tuple(map(self._served, OPTIONAL))),
            without=self._without,
        )

    def _kept(self, key: Key) -> dict[Address, Json]:
        """The cached children of a service, and cached objects that have their names."""
        found: dict[Address, Json] = {}
        workers = key[0], key[1] + WORKER_SUFFIX
        for kind, store in self._children.items():
            for body in store.of(key):
                found[address(body)] = body
            for body in store.of(workers) if kind in WATCHED_UNLABELLED else ():
                found[address(body)] = body
            named = store.get(*key)
            if named is not None:
                found[address(named)] = named
        return found


def has_moved(service: TTSService, decision: RolloutDecision) -> bool:
    """Whether the decision differs from the rollout in the status."""
    before, now = RolloutState.read(service.status), decision.state
    if decision.current and decision.current != service.status.get("currentRevision"):
        return True
    if before is None or now is None:
        return now is not None
    return (before.revision, before.phase, before.step) != (now.revision, now.phase, now.step)


@lru_cache(maxsize=64)
def _unserved(served: tuple[bool, ...]) -> frozenset[tuple[str, str]]:
    """The optional kinds that the cluster lacks. `served` has one value for each kind of `OPTIONAL`."""
    pairs = zip(OPTIONAL, served, strict=True)
    return frozenset((kind.api_version, kind.kind) for kind, is_served in pairs if not is_served)
