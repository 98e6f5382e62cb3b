"""What is to be analysed in a phase, and whether the result of an analysis still counts."""

import re

from tts_operator.api.model import Model
from tts_operator.desired.pod import PORT
from tts_operator.json_object import Json
from tts_operator.reconcile.analysis.model import AnalysisRequest, AnalysisResult, pod_endpoints
from tts_operator.reconcile.observed.pods import has_ended, is_ready
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.state import Phase, RolloutState

LISTENED_TO = 5
"""So many new pods at most are made to speak."""


def analysis_request(context: RolloutContext, state: RolloutState, pods: list[Json]) -> AnalysisRequest | None:
    """What is to be found out in a state about these pods; None where nothing."""
    speaks = state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE)
    if speaks and not context.service.spec.rollout.speech_check.enabled:
        return None
    if not speaks and state.phase not in (Phase.SCALING, Phase.STEPPING, Phase.SWITCHED, Phase.PROMOTING):
        return None
    there = [pod for pod in pods if not has_ended(pod)]
    asked = context.update_revision.spec  # not the service's: in an undo it is about another revision
    others = pods_of(context.observed, context.stable, in_place=True, ready=True)
    return AnalysisRequest(
        subject=state.subject,
        pods=pod_endpoints(there[:LISTENED_TO] if speaks else there, PORT, context.update_revision.template),
        stable=pod_endpoints(others, PORT, context.stable.template),
        speaks=speaks,
        ready=not speaks or (bool(there) and all(map(is_ready, there))),
        present=frozenset(pod["metadata"]["uid"] for pod in there),
        language=language_of(asked.model),
        max_characters=asked.server.max_input_characters,
    )


def language_of(model: Model) -> str:
    """The BCP 47 language of a model: the hub's names of voices end in it, as in ..._zh-cn_16k. Mandarin otherwise."""
    told = re.search(r"_([a-z]{2}-[a-z]{2})_\d+k$", model.name or "")
    return told[1] if told else "zh-CN"


def still_counts(analysis_result: AnalysisResult, state: RolloutState, observed: Observed) -> bool:
    """Whether what was found out is about this state, and about pods that are still there.

    A pod that was drained while it was asked has not answered: that says nothing of its version.
    """
    there = {
        pod["metadata"]["uid"]
        for pod in observed.pods
        if "deletionTimestamp" not in pod["metadata"] and not has_ended(pod)
    }
    return analysis_result.subject == state.subject and analysis_result.asked <= there
