"""Pod templates that are checked against the policy: each patch is merged like `podTemplate`."""

from typing import Any

from tests.unit.operator.worlds import ALL, DEFAULTS, NAME, service
from tts_operator.desired.pod.template import pod_template
from tts_operator.json_object import Json
from tts_operator.policy import Policy, message, template_violations

RESTRICTED = Policy(images=ALL, priority_classes=ALL)
BOUNDS = RESTRICTED.for_namespace("speech", DEFAULTS.image)
AT = "spec.podTemplate.spec"
SERVER = f"{AT}.containers[server]"


def pod(**spec: Any) -> Json:
    return {"spec": spec}


def container(**fields: Any) -> Json:
    return pod(containers=[{"name": "server", **fields}])


def context(**fields: Any) -> Json:
    return container(securityContext=fields)


def pod_context(**fields: Any) -> Json:
    return pod(securityContext=fields)


def volume(**kind: Any) -> Json:
    return pod(volumes=[{"name": "more", **kind}])


def annotation(value: str) -> Json:
    return {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/server": value}}}


def told(patch: Json, policy: Policy = RESTRICTED, **spec: Any) -> str:
    asked = service({**spec, "podTemplate": patch})
    template = pod_template(asked, DEFAULTS.image, "DoNotSchedule")
    bounds = policy.for_namespace("speech", DEFAULTS.image)
    return message(found, "speech") if (found := template_violations(template, bounds, account=NAME)) else ""
