"""Plans are kept for as long as they would come out the same, so that most news of pods costs no new plan."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tts_operator.api import TTSService
from tts_operator.json_object import Json
from tts_operator.reconcile.observed.snapshot import Address, Observed
from tts_operator.reconcile.observed.trimming import CONTENT
from tts_operator.reconcile.plan import Plan
from tts_operator.runtime.store import Key


@dataclass(frozen=True, kw_only=True)
class _Entry:
    content: frozenset[Any]
    """The children, but for their status, when there was nothing to do to them."""
    spec: tuple[Any, ...] | None = None
    plan: Plan | None = None
    """None: what the last plan asked for has been applied, and no plan was made since."""


class PlanCache:
    """For each TTSService the last plan by which there was nothing to do, and what that plan was made of."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}

    def find(self, service: TTSService, observed: Observed) -> Plan | None:
        """The plan that would be made now, where it is known. During a rollout every pass makes its own."""
        entry = self._entries.get((service.namespace, service.name))
        if entry is None or entry.plan is None or service.status.get("rollout") is not None:
            return None
        if entry.spec != _spec(service, observed) or entry.content != _content(observed.children):
            return None
        return entry.plan

    def keep(self, service: TTSService, observed: Observed, plan: Plan) -> None:
        """Keep a plan by which there is nothing to do; after any other, forget the last one."""
        key = service.namespace, service.name
        if not plan.settled:
            self.forget(key)
            return
        decision = plan.decision.stripped() if plan.decision is not None else None
        self._entries[key] = _Entry(
            content=_content(observed.children),
            spec=_spec(service, observed),
            plan=replace(plan, decision=decision),
        )

    def applied(self, key: Key, children: Mapping[Address, Json]) -> None:
        """Everything that a plan asked for was applied, and these are the children now."""
        self._entries[key] = _Entry(content=_content(children))

    def forget(self, key: Key) -> None:
        """Nothing is known of this TTSService."""
        self._entries.pop(key, None)

    def in_order(self, key: Key, children: Mapping[Address, Json]) -> bool:
        """Whether the children are as they were when there was last nothing to do to them, or nothing any more."""
        entry = self._entries.get(key)
        return entry is not None and entry.content == _content(children)


def _spec(service: TTSService, observed: Observed) -> tuple[Any, ...]:
    """What a plan is made of beside the children."""
    return service.uid, service.generation, service.refresh, service.commands, service.cause, observed.unserved


def _content(children: Mapping[Address, Json]) -> frozenset[Any]:
    return frozenset(body[CONTENT] for body in children.values())
