"""One pass over one TTSService: read the cache, carry out the plan, report."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import aiohttp

from tts_operator.api import InvalidSpecError, Json, TTSService
from tts_operator.desired import Defaults
from tts_operator.desired.revision import wanted_revision
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import OPTIONAL, Resource
from tts_operator.policy import Policy
from tts_operator.reconcile.analysis.model import NO_RESULT
from tts_operator.reconcile.analysis.runner import AnalysisRunner
from tts_operator.reconcile.children.applier import ChildApplier
from tts_operator.reconcile.compliance import of_spec, of_target
from tts_operator.reconcile.observed.snapshot import Address, Observed, Outcome, Refusal, address
from tts_operator.reconcile.observed.trimming import CONTENT, is_unseen, whole
from tts_operator.reconcile.plan import DEFAULT_POLICY, Plan, plan
from tts_operator.reconcile.rollout.candidate_pods import pods_of
from tts_operator.reconcile.rollout.decision import RolloutDecision
from tts_operator.reconcile.rollout.state import RolloutState
from tts_operator.reconcile.status.autoscaler import seconds_until_it_counts
from tts_operator.reconcile.status.report import compute_status, invalid_spec_status, unsettled
from tts_operator.reconcile.status.rollout import progress, undone
from tts_operator.reconcile.status.writer import StatusWriter
from tts_operator.runtime.store import Key, Store
from tts_operator.runtime.workers import RetryError

REFUSED_AGAIN_SECONDS = 60.0
"""A refusal may end without any news for us, as when a quota is raised: look again after this long."""
LASTING_FAILURES = 3
"""So many passes in a row must fail before the status says so: a blip is nobody's business."""
NOT_FOUND = 404

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A plan by which there was nothing to do, and what it was made of."""

    spec: tuple[Any, ...]
    content: frozenset[Any]
    plan: Plan


class Reconciler:
    """Brings one TTSService after another to what its spec says."""

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
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        """`children` has a store for each kind but those of `without`, which are not made.

        `services` holds the TTSServices as JSON; `zones` tells each node's zone, `nodes` the labels of each; `served`
        whether a kind exists. Without an `examiner` nothing is found out about new revisions.
        """
        self._applier = ChildApplier(client, children)
        self._status_writer = StatusWriter(client, services)
        self._failures: dict[Key, int] = {}
        self._plans: dict[Key, Settled] = {}
        self._in_order: dict[Key, frozenset[Any]] = {}  # the children's content, as there was nothing to do to it
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
        """One pass. Returns the seconds after which another is due, or None. Raises RetryError."""
        body = self._services.get(*key)
        if body is None:
            self._status_writer.forget(key)
            self._failures.pop(key, None)
            self._plans.pop(key, None)
            self._in_order.pop(key, None)
            if self._analysis_runner is not None:
                self._analysis_runner.forget(key)
            return None
        try:
            return await self._pass(key, body)
        except ApiError as error:
            if error.status == NOT_FOUND or error.namespace_ends:
                return None  # deleted meanwhile, or its namespace is
            raise RetryError(str(error), after=error.retry_after or 0.0) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RetryError(f"cannot reach the API server: {str(error) or type(error).__name__}") from error

    async def _pass(self, key: Key, body: Json) -> float | None:
        if "deletionTimestamp" in body["metadata"]:
            return None
        try:
            service = TTSService.parse(body)
        except InvalidSpecError as error:
            return await self._status_writer.write(
                body, invalid_spec_status(body, str(error), self._status_writer.now())
            )
        before = self._observe(service)
        if is_unseen(body) and not before.children and await self._begin(service):
            return 0.0
        todo = self._plan(service, before)
        if todo.decision is not None and has_moved(service, todo.decision):
            # Written before it is carried out: whoever comes after us goes on from there.
            return await self._decide(service, body, before, todo)
        refusals, failure = await self._act(key, service, todo)
        observed = before
        if todo.apply or todo.delete:
            observed = self._observe(service)
            if failure is None and not refusals:
                self._in_order[key] = _content(observed.children)
        outcome = replace(
            outcome_of(service, todo, observed), refusals=refusals, trouble=failure.message if failure else ""
        )
        told = service.status.get("observedGeneration") == service.generation
        # Somebody else touched the Deployment: no news before its controller has looked at it.
        quiet = told and not (todo.apply or todo.violation or refusals) and unsettled(service, observed)
        now = self._status_writer.now()
        again = (
            None if quiet else await self._status_writer.write(body, compute_status(service, observed, outcome, now))
        )
        if failure is not None:
            raise failure
        if self._analysis_runner is not None:
            self._analysis_runner.want(service, todo.decision.analysis_request if todo.decision else None)
        looks = todo.decision.again if todo.decision else None
        due = again, looks, REFUSED_AGAIN_SECONDS if refusals else None, seconds_until_it_counts(service, observed, now)
        if todo.waiting and observed.children.keys() - before.children.keys():
            # What is new may be what was waited for; its own news is none, where the answer to our apply has told it.
            return 0.0
        return min((seconds for seconds in due if seconds is not None), default=None)

    async def _act(self, key: Key, service: TTSService, todo: Plan) -> tuple[list[Refusal], ApiError | None]:
        """Carry out a plan; what fails is raised until it has failed some times in a row."""
        refusals, failure = await self._applier.act(service, todo)
        if failure is None:
            self._failures.pop(key, None)
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] < LASTING_FAILURES:
                raise failure
        return refusals, failure

    async def _decide(self, service: TTSService, body: Json, observed: Observed, todo: Plan) -> float:
        """Write where a rollout is to be; the next pass carries it out, at once where it is written."""
        status = compute_status(service, observed, outcome_of(service, todo, observed), self._status_writer.now())
        return await self._status_writer.write(body, status) or 0.0

    async def _begin(self, service: TTSService) -> bool:
        """The first pass over a new service is a short one, so that many that come at once are all begun soon.

        It keeps what the pods are to be made of. Whether it went well; if not, the next passes tell what is wrong.
        """
        if service.spec.paused:
            return False
        bounds = self._policy.for_namespace(service.namespace, self._defaults.image)
        if of_spec(service, bounds):
            return False
        keyring = self._defaults.keyring
        revision = wanted_revision(service, self._defaults.image, (), nodes=self._nodes, keyring=keyring)
        if of_target(service, revision, self._defaults, bounds):
            return False
        refusals, failure = await self._applier.act(service, Plan(apply=[revision.manifest(service)]))
        return not refusals and failure is None

    def settled(self, key: Key) -> bool:
        """Whether the children are as they were when there was last nothing to do to them, or nothing any more."""
        known = self._in_order.get(key)
        return known is not None and known == _content(self._kept(key))

    def _plan(self, service: TTSService, observed: Observed) -> Plan:
        """The plan; the last one where nothing has changed that it was made of, as with most news of pods."""
        key = service.namespace, service.name
        rollout = service.status.get("rollout") is not None
        spec = service.uid, service.generation, service.refresh, service.wishes, service.cause, observed.unserved
        content, known = _content(observed.children), self._plans.get(key)
        if known is not None and not rollout and (known.spec, known.content) == (spec, content):
            return known.plan
        children = {at: whole(body) for at, body in observed.children.items()}
        analysis_result = self._analysis_runner.result(key) if self._analysis_runner is not None else NO_RESULT
        todo = plan(
            service,
            replace(observed, children=children),
            self._defaults,
            now=self._status_writer.now(),
            analysis_result=analysis_result,
            policy=self._policy,
        )
        if todo.settled:
            way = todo.decision.stripped() if todo.decision is not None else None
            self._plans[key] = Settled(spec=spec, content=content, plan=replace(todo, decision=way))
            self._in_order[key] = content
        else:
            self._plans.pop(key, None)
            self._in_order.pop(key, None)
        return todo

    def _observe(self, service: TTSService) -> Observed:
        key = service.namespace, service.name
        return Observed(
            children=self._kept(key),
            pods=self._pods.of(key),
            zones=self._zones,
            nodes=self._nodes,
            unserved=_unserved(tuple(map(self._served, OPTIONAL))),
            without=self._without,
        )

    def _kept(self, key: Key) -> dict[Address, Json]:
        """What is in the caches of the children of one service, and of what has their name."""
        found: dict[Address, Json] = {}
        for store in self._children.values():
            for body in store.of(key):
                found[address(body)] = body
            named = store.get(*key)
            if named is not None:
                found[address(named)] = named
        return found


def has_moved(service: TTSService, decision: RolloutDecision) -> bool:
    """Whether a rollout is to be where the status does not say that it is."""
    before, now = RolloutState.read(service.status), decision.state
    if decision.current and decision.current != service.status.get("currentRevision"):
        return True
    if before is None or now is None:
        return now is not None
    return (before.revision, before.phase, before.step) != (now.revision, now.phase, now.step)


def outcome_of(service: TTSService, todo: Plan, observed: Observed) -> Outcome:
    """What is to be told of a plan."""
    outcome = Outcome(held=len(todo.held), missing=[manifest["kind"] for manifest in todo.missing])
    decision = todo.decision
    if todo.violation:
        return _as_it_was(service, todo)
    if decision is None:
        return outcome
    new = [pod for place in (False, True) for pod in pods_of(observed, decision.update_revision, in_place=place)]
    return replace(
        outcome,
        revision=decision.spec_revision.name,
        running=decision.workloads.revision.name,
        model=decision.workloads.serving.model,
        spread=decision.workloads.serving.spread,
        current=decision.current or "",
        rollout=progress(service, decision, observed),
        undone=undone(decision),
        state=decision.state.as_status() if decision.state else None,
        share=decision.share,
        updated=len(new) if decision.state else None,
    )


def _as_it_was(service: TTSService, todo: Plan) -> Outcome:
    """Nothing was decided: which revision is the stable one, and where a rollout is, stays as the status has it."""
    status = service.status
    return Outcome(
        violation=todo.violation,
        model=todo.serving,
        revision=status.get("targetRevision", ""),
        current=status.get("currentRevision", ""),
        state=status.get("rollout"),
        share=status.get("canaryWeight", 0),
    )


@lru_cache(maxsize=64)
def _unserved(served: tuple[bool, ...]) -> frozenset[tuple[str, str]]:
    """Of the optional kinds, in their order, those that the cluster does not have."""
    pairs = zip(OPTIONAL, served, strict=True)
    return frozenset((kind.api_version, kind.kind) for kind, is_served in pairs if not is_served)


def _content(children: Mapping[Address, Json]) -> frozenset[Any]:
    return frozenset(body[CONTENT] for body in children.values())
