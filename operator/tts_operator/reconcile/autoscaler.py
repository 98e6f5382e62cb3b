"""How the autoscaler is doing."""

from tts_operator.api import TTSService
from tts_operator.kube.resources import HORIZONTAL_POD_AUTOSCALERS
from tts_operator.reconcile.observed import Observed
from tts_operator.reconcile.verdict import Verdict, condition_of

CURES = {
    "FailedGetResourceMetric": "it has no CPU or memory figures: is metrics-server installed, and are the pods ready?",
    "FailedGetPodsMetric": "is an adapter for custom metrics installed, and does it know the metric?",
    "FailedGetObjectMetric": "is an adapter for custom metrics installed, and does it know the metric?",
    "FailedGetExternalMetric": "is an adapter for external metrics installed, and does it know the metric?",
    "AmbiguousSelector": "another HorizontalPodAutoscaler scales the same pods: remove it, or spec.autoscaling",
}


def autoscaler(service: TTSService, observed: Observed) -> Verdict | None:
    """Whether the autoscaler can do its work; None where the spec asks for none.

    Only its reasons are told, not its messages: they hold figures, and every new one would be a write.
    """
    if service.spec.autoscaling is None:
        return None
    resource = HORIZONTAL_POD_AUTOSCALERS
    live = observed.child(resource.api_version, resource.kind, service.name)
    for kind in ("AbleToScale", "ScalingActive"):
        condition = condition_of(live, kind)
        if condition.get("status") == "False":
            reason = condition["reason"]
            cure = CURES.get(reason, f"kubectl describe hpa {service.name} says more")
            return Verdict(ready=False, reason=reason, message=f"the number of pods stays as it is: {cure}")
    if condition_of(live, "ScalingActive").get("status") == "True":
        return Verdict(ready=True, reason="ScalingActive", message="the number of pods follows the load")
    return Verdict(ready=None, reason="Pending", message="the autoscaler has not looked at its metrics yet")
