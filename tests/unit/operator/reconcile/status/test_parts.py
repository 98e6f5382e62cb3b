"""What the status says of the parts that a service has only when it is asked for them."""

import dataclasses
from collections.abc import Sequence

import pytest

from tests.unit.operator.kstatus import kstatus
from tests.unit.operator.worlds import (
    DEFAULTS,
    EARLIER,
    NAME,
    NAMESPACE,
    NOW,
    applied,
    body,
    condition,
    counts,
    plan_for,
    pod,
    service,
    world,
)
from tts_operator.api.status import Status
from tts_operator.desired import children
from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.reconcile.children.changes import Applied
from tts_operator.reconcile.plan import Plan
from tts_operator.reconcile.status.report import compute_status

GATEWAY: Json = {"gateway": {"parentRefs": [{"name": "public", "namespace": "gateways"}, {"name": "private"}]}}
INGRESS: Json = {"ingress": {"host": "speech.example.com", "className": "nginx"}}
TLS: Json = {"ingress": {"host": "speech.example.com", "tls": {"issuerRef": {"name": "letsencrypt"}}}}
AUTOSCALING: Json = {"autoscaling": {"minReplicas": 3}}
MODEL: Json = {"model": {"engine": "modelscope", "name": "damo/speech", "revision": "v1"}}
MONITOR: Json = {"monitoring": {"podMonitor": {"enabled": True}}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    spec: Json
    live: Json | None = None
    """Status of the part."""
    kind: str = ""
    """Kind of the part."""
    missing: Sequence[str] = ()
    deployment: Json = dataclasses.field(default_factory=counts)
    pods: Sequence[Pod] = ()
    condition: str
    status: str
    reason: str
    says: str = ""
    verdict: str = "Current"


def parent(name: str, namespace: str | None, *conditions: Json) -> Json:
    reference = {"name": name, "kind": "Gateway"} | ({"namespace": namespace} if namespace else {})
    answers = [{"observedGeneration": 1, "reason": each.get("reason", each["type"]), **each} for each in conditions]
    return {"parentRef": reference, "controllerName": "example.com/gateway", "conditions": answers}


ACCEPTED, RESOLVED = condition("Accepted", "True"), condition("ResolvedRefs", "True")
PUBLIC = parent("public", "gateways", ACCEPTED, RESOLVED)
REJECTED = condition("Accepted", "False", reason="NoMatchingListenerHostname", message="no listener fits")
UNFED = condition("ScalingActive", "False", reason="FailedGetResourceMetric")

CASES = [
    Case(
        name="no Gateway has answered",
        spec=GATEWAY,
        kind="HTTPRoute",
        condition="RouteReady",
        status="False",
        reason="RoutePending",
        says="Gateway gateways/public has not reported on the route yet",
        verdict="InProgress",
    ),
    Case(
        name="one of two Gateways has answered",
        spec=GATEWAY,
        kind="HTTPRoute",
        live={"parents": [PUBLIC]},
        condition="RouteReady",
        status="False",
        reason="RoutePending",
        says=f"Gateway {NAMESPACE}/private has not reported on the route yet",
        verdict="InProgress",
    ),
    Case(
        name="both Gateways have taken the route",
        spec=GATEWAY,
        kind="HTTPRoute",
        live={"parents": [PUBLIC, parent("private", NAMESPACE, ACCEPTED, RESOLVED)]},
        condition="RouteReady",
        status="True",
        reason="Accepted",
    ),
    Case(
        name="a Gateway does not take the route",
        spec=GATEWAY,
        kind="HTTPRoute",
        live={"parents": [PUBLIC, parent("private", None, REJECTED, RESOLVED)]},
        condition="RouteReady",
        status="False",
        reason="RouteNotAccepted",
        says="(NoMatchingListenerHostname): no listener fits",
        verdict="InProgress",
    ),
    Case(
        name="a Gateway cannot find the Service",
        spec=GATEWAY,
        kind="HTTPRoute",
        live={"parents": [parent("public", "gateways", ACCEPTED, condition("ResolvedRefs", "False", reason="NoSuch"))]},
        condition="RouteReady",
        status="False",
        reason="RouteNotAccepted",
        verdict="InProgress",
    ),
    Case(
        name="the Gateway API is not installed",
        spec=GATEWAY,
        missing=["HTTPRoute"],
        condition="RouteReady",
        status="False",
        reason="GatewayAPIMissing",
        says="install the Gateway API, or remove spec.gateway",
        verdict="Failed",
    ),
    Case(
        name="an Ingress with an address",
        spec=INGRESS,
        kind="Ingress",
        live={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]}},
        condition="RouteReady",
        status="True",
        reason="AddressAssigned",
        says="192.0.2.1, lb.example.com",
    ),
    Case(
        name="an Ingress without an address",
        spec=INGRESS,
        kind="Ingress",
        live={"loadBalancer": {}},
        condition="RouteReady",
        status="Unknown",
        reason="NoAddress",
        says="check that one is running for class nginx",
    ),
    Case(
        name="a certificate that is issued",
        spec=TLS,
        kind="Certificate",
        live={"conditions": [condition("Ready", "True", message="up to date")]},
        condition="CertificateReady",
        status="True",
        reason="Issued",
    ),
    Case(
        name="a certificate that is not issued yet",
        spec=TLS,
        kind="Certificate",
        live={"conditions": [condition("Ready", "False", message="waiting for DNS")]},
        condition="CertificateReady",
        status="False",
        reason="CertificateNotReady",
        says="waiting for DNS; see kubectl describe certificate narrator",
        verdict="InProgress",
    ),
    Case(
        name="cert-manager is not installed",
        spec=TLS,
        missing=["Certificate"],
        condition="CertificateReady",
        status="False",
        reason="CertManagerMissing",
        says="install cert-manager",
        verdict="Failed",
    ),
    Case(
        name="the Prometheus operator is not installed",
        spec=MONITOR,
        missing=["PodMonitor"],
        condition="Ready",
        status="False",
        reason="PrometheusOperatorMissing",
        says="or remove spec.monitoring.podMonitor",
        verdict="Failed",
    ),
    Case(
        name="an autoscaler at work",
        spec=AUTOSCALING,
        kind="HorizontalPodAutoscaler",
        live={"conditions": [condition("AbleToScale", "True"), condition("ScalingActive", "True")]},
        condition="AutoscalingReady",
        status="True",
        reason="ScalingActive",
    ),
    Case(
        name="an autoscaler that nobody has looked at",
        spec=AUTOSCALING,
        kind="HorizontalPodAutoscaler",
        live={},
        condition="AutoscalingReady",
        status="Unknown",
        reason="Pending",
    ),
    Case(
        name="an autoscaler without figures",
        spec=AUTOSCALING,
        kind="HorizontalPodAutoscaler",
        live={"conditions": [UNFED | {"lastTransitionTime": EARLIER}]},
        condition="AutoscalingReady",
        status="False",
        reason="FailedGetResourceMetric",
        says="check that metrics-server runs",
    ),
    Case(
        name="an autoscaler without figures yet",
        spec=AUTOSCALING,
        kind="HorizontalPodAutoscaler",
        live={"conditions": [UNFED | {"lastTransitionTime": NOW}]},
        condition="AutoscalingReady",
        status="Unknown",
        reason="Pending",
    ),
    Case(
        name="a model that speaks",
        spec=MODEL,
        condition="ModelReady",
        status="True",
        reason="ModelLoaded",
        says="damo/speech v1 is loaded",
    ),
    Case(
        name="a model that loads",
        spec=MODEL,
        deployment=counts(readyReplicas=0, availableReplicas=0),
        condition="ModelReady",
        status="False",
        reason="ModelLoading",
        verdict="InProgress",
    ),
    Case(
        name="a claim that is not bound",
        spec=MODEL,
        deployment=counts(readyReplicas=0, availableReplicas=0),
        pods=[
            pod(
                conditions=[
                    condition(
                        "PodScheduled",
                        "False",
                        reason="Unschedulable",
                        message="0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
                    )
                ]
            )
        ],
        condition="ModelReady",
        status="False",
        reason="VolumeNotBound",
        says="storageClassName",
        verdict="InProgress",
    ),
]


def told(case: Case) -> Json:
    asked = service(case.spec)
    live = [
        {**applied(manifest), "status": case.live or {}}
        for manifest in children(asked, DEFAULTS)
        if manifest["kind"] == case.kind
    ]
    observed = world(asked, deployment=case.deployment, pods=case.pods, live=live)
    return compute_status(asked, observed, plan_for(asked, f"{NAME}-1", missing=case.missing), Applied(), NOW)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_condition(case: Case) -> None:
    status = told(case)
    conditions = {each["type"]: each for each in status["conditions"]}
    found = conditions[case.condition]
    assert (found["status"], found["reason"]) == (case.status, case.reason)
    assert case.says in found["message"]
    assert kstatus(body(case.spec, status=status)) == case.verdict
    assert (conditions["Ready"]["status"] == "True") is (case.verdict == "Current")
    assert Status.model_validate(status).model_dump(by_alias=True, exclude_none=True) == status


@pytest.mark.parametrize(
    "spec, absent",
    [({}, {"ModelReady", "RouteReady", "CertificateReady", "AutoscalingReady"}), (INGRESS, {"CertificateReady"})],
)
def test_what_nobody_asked_for_is_not_told(spec: Json, absent: set[str]) -> None:
    asked = service(spec)
    status = compute_status(asked, world(asked), Plan(), Applied(), NOW)
    assert not absent & {each["type"] for each in status["conditions"]}


def test_revisions() -> None:
    asked = service()
    done = compute_status(asked, world(asked), plan_for(asked, "narrator-2"), Applied(), NOW)
    assert (done["currentRevision"], done["targetRevision"]) == ("narrator-2", "narrator-2")
    rolling = service(status=done)
    half = compute_status(
        rolling, world(rolling, deployment=counts(replicas=4)), plan_for(asked, "narrator-3"), Applied(), NOW
    )
    assert (half["currentRevision"], half["targetRevision"]) == ("narrator-2", "narrator-3")
