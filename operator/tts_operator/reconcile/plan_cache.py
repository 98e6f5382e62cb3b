"""A cache of plans. A plan is reused until its inputs change, so most pod events need no new plan."""

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
    """The children, without their status, when there was last nothing to do."""
    spec: tuple[Any, ...] | None = None
    plan: Plan | None = None
    """None: the last plan was applied, and no plan was made since."""


class PlanCache:
    """The last plan of each TTSService that had nothing to do, and the inputs of that plan."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}

    def find(self, service: TTSService, observed: Observed) -> Plan | None:
        """Return the plan if its inputs have not changed. During a rollout, every pass makes a new one."""
        entry = self._entries.get((service.namespace, service.name))
        if entry is None or entry.plan is None or service.status.get("rollout") is not None:
            return None
        if entry.spec != _spec(service, observed) or entry.content != _content(observed.children):
            return None
        return entry.plan

    def keep(self, service: TTSService, observed: Observed, plan: Plan) -> None:
        """Keep a plan that has nothing to do. Any other plan invalidates the entry."""
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
        """Record the children after all changes of a plan were applied."""
        self._entries[key] = _Entry(content=_content(children))

    def forget(self, key: Key) -> None:
        """Drop the entry of a TTSService."""
        self._entries.pop(key, None)

    def unchanged(self, key: Key, children: Mapping[Address, Json]) -> bool:
        """Whether the children, apart from their status, are as they were when there was last nothing left to do."""
        entry = self._entries.get(key)
        return entry is not None and entry.content == _content(children)


def _spec(service: TTSService, observed: Observed) -> tuple[Any, ...]:
    """The inputs of a plan other than the children."""
    return service.uid, service.generation, service.refresh, service.commands, service.cause, observed.unserved


def _content(children: Mapping[Address, Json]) -> frozenset[Any]:
    return frozenset(body[CONTENT] for body in children.values())
