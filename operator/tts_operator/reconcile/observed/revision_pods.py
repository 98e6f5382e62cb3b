"""The pods of a revision."""

from tts_operator.desired.revision import TEMPLATE_LABEL, Revision
from tts_operator.objects import Pod
from tts_operator.reconcile.observed.pods import is_candidate, is_ready
from tts_operator.reconcile.observed.snapshot import Observed


def pods_of(observed: Observed, revision: Revision, *, in_place: bool, ready: bool = False) -> list[Pod]:
    """The pods of a revision: in the candidate's Deployment, or with `in_place` in the stable one."""
    return [
        pod
        for pod in observed.pods
        if "deletionTimestamp" not in pod["metadata"]
        and is_candidate(pod) is not in_place
        and pod["metadata"].get("labels", {}).get(TEMPLATE_LABEL, "") == revision.template_hash
        and (not ready or is_ready(pod))
    ]
