"""The condition BackendReady."""

from dataclasses import replace
from typing import Any

from tts_operator.api import TTSService
from tts_operator.desired.identity import backend_name
from tts_operator.desired.revision import Revision
from tts_operator.reconcile.observed.pods import Failure, is_candidate, last_failure
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.status.conditions import ConditionState
from tts_operator.reconcile.status.deployment import workload

KIND = "BackendReady"


def backend(
    service: TTSService, observed: Observed, serving: Revision | None, available: ConditionState
) -> ConditionState | None:
    """Whether what makes the sound can be used, and otherwise the cause; None if the spec has no backend.

    `serving` is the revision that receives the traffic; None if nothing was decided, and what was reported stays.
    `available` is the condition of that name.
    """
    if service.spec.backend is None:
        return None
    if serving is None:
        return _as_before(service.status)
    failure = last_failure([pod for pod in observed.pods if not is_candidate(pod)])
    if not serving.has_backend:
        return _not_serving_yet(observed)
    if serving.backend is not None:
        live = observed.deployment(backend_name(service, serving.backend.hash))
        state = workload(live, last_failure(observed.pods_of_backend(serving.backend.hash)))
        state = replace(state, message=f"backend: {state.message}")
        return (_by_servers(available, failure) or state) if state.ready else state
    if failure is not None and failure.of_backend and not available.ready:
        return ConditionState(ready=False, reason=failure.reason, message=f"backend: {failure.describe()}")
    works = ConditionState(ready=True, reason="BackendReady", message="the servers can use the backend")
    return _by_servers(available, failure) or works


def _as_before(status: Any) -> ConditionState | None:
    for each in status.get("conditions", ()):
        if each["type"] == KIND:
            ready = {"True": True, "False": False}.get(each["status"])
            return ConditionState(ready=ready, reason=each["reason"], message=each["message"])
    return None


def _not_serving_yet(observed: Observed) -> ConditionState:
    """The serving revision has no backend: that of the spec has yet to pass, or has failed."""
    failure = last_failure([*observed.backends, *filter(is_candidate, observed.pods)])
    text = "the revision that serves has no backend"
    if failure is None:
        return ConditionState(ready=False, reason="RolloutInProgress", message=text)
    about = "backend: " if failure.of_backend else ""
    return ConditionState(ready=False, reason=failure.reason, message=f"{about}{failure.describe()}; {text}")


def _by_servers(available: ConditionState, failure: Failure | None) -> ConditionState | None:
    """What the servers say: they are only ready while the backend speaks. None if they are."""
    if available.ready or available.reason == "ScaledToZero":
        return None
    if failure is not None:
        text = f"no server can use the backend: {failure.describe()}"
        return ConditionState(ready=False, reason=failure.reason, message=text)
    text = "no server is ready yet: `kubectl tts logs` shows what they wait for"
    return ConditionState(ready=False, reason="ServersNotReady", message=text)
