"""What to analyze in each phase, and whether a result still counts."""

import re

from tts_operator.api.model import Model
from tts_operator.desired.pod.template import PORT
from tts_operator.objects import Pod
from tts_operator.reconcile.analysis.model import AnalysisRequest, AnalysisResult, pod_endpoints
from tts_operator.reconcile.observed.pods import has_ended, is_ready
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.state import Phase, RolloutState

CHECKED_PODS = 5
"""Maximum number of new pods whose speech is checked."""


def analysis_request(context: RolloutContext, state: RolloutState, pods: list[Pod]) -> AnalysisRequest | None:
    """What to analyze in a state about these pods; None if nothing."""
    checks_speech = state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE)
    if checks_speech and not context.service.spec.rollout.speech_check.enabled:
        return None
    if not checks_speech and state.phase not in (Phase.SCALING, Phase.STEPPING, Phase.SWITCHED, Phase.PROMOTING):
        return None
    there = [pod for pod in pods if not has_ended(pod)]
    asked = context.update_revision.spec  # not the service's spec: an undo runs another revision
    others = pods_of(context.observed, context.stable, in_place=True, ready=True)
    return AnalysisRequest(
        subject=state.subject,
        pods=pod_endpoints(there[:CHECKED_PODS] if checks_speech else there, PORT, context.update_revision.template),
        stable=pod_endpoints(others, PORT, context.stable.template),
        checks_speech=checks_speech,
        ready=not checks_speech or (bool(there) and all(map(is_ready, there))),
        in_place=state.phase is Phase.CHECKING_IN_PLACE,
        present=frozenset(pod["metadata"]["uid"] for pod in there),
        language=language_of(asked.model),
        max_characters=asked.server.max_input_characters,
    )


def language_of(model: Model) -> str:
    """The BCP 47 language of a model, from its name on the hub, such as ..._zh-cn_16k; otherwise Mandarin."""
    told = re.search(r"_([a-z]{2}-[a-z]{2})_\d+k$", model.name or "")
    return told[1] if told else "zh-CN"


def still_counts(analysis_result: AnalysisResult, state: RolloutState, observed: Observed) -> bool:
    """Whether a result is about this state, and about pods that still exist.

    A pod that was drained during the check did not answer, which says nothing about its version.
    """
    there = {
        pod["metadata"]["uid"]
        for pod in observed.pods
        if "deletionTimestamp" not in pod["metadata"] and not has_ended(pod)
    }
    return analysis_result.subject == state.subject and analysis_result.asked <= there
