from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from tests.unit.operator.regenerate_golden import COMMAND, GOLDEN, SPECS, render
from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, UID, service
from tts_operator.api import Spec
from tts_operator.api.quantity import quantity
from tts_operator.api.server import Image
from tts_operator.desired import Defaults, children
from tts_operator.desired.pod.template import DRAIN_SECONDS, GRACE_SECONDS, image_reference
from tts_operator.desired.pod_disruption_budget import pod_disruption_budget
from tts_operator.desired.service import url
from tts_operator.json_object import Json
from tts_operator.policy.standard import problems

EXCLUDED = {
    "backend",
    "image.tag",
    "disruption.minAvailable",
    "replicas",
    "ingress.tls.secretName",
    "model.storage.emptyDir",
    "jobs.storage.persistentVolumeClaim",
    "jobs.workers.replicas",
    "rollout.blueGreen",
}
"""What cannot be set together with the rest of `everything`; `alternatives` and `backend-*` have it."""


def spec(name: str) -> Json:
    found: Json = yaml.safe_load((GOLDEN / "specs" / f"{name}.yaml").read_text())
    return found


def child(kind: str, asked: Json | None = None, defaults: Defaults = DEFAULTS) -> Json:
    found = [manifest for manifest in children(service(asked), defaults) if manifest["kind"] == kind]
    return next((manifest for manifest in found if manifest["metadata"]["name"] == NAME), found[0])


def pod_spec(asked: Json | None = None) -> Json:
    found: Json = child("Deployment", asked)["spec"]["template"]["spec"]
    return found


def given(value: BaseModel, path: str = "") -> Iterator[tuple[str, bool]]:
    """Each field below a model, and whether it was set."""
    for name, info in type(value).model_fields.items():
        inner, at = getattr(value, name), f"{path}{info.alias or name}"
        yield at, name in value.model_fields_set
        if isinstance(inner, BaseModel):
            yield from given(inner, f"{at}.")


@pytest.mark.parametrize("name", SPECS)
def test_golden(name: str) -> None:
    golden = (GOLDEN / f"{name}.yaml").read_text()
    assert list(yaml.safe_load_all(golden)) == list(yaml.safe_load_all(render(name))), f"is it meant? Then: {COMMAND}"


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(SPECS)


def test_everything_is_everything() -> None:
    missing = {at for at, is_set in given(Spec.model_validate(spec("everything"))) if not is_set}
    assert missing == EXCLUDED


def test_each_call_makes_manifests_of_its_own() -> None:
    first, second = children(service(), DEFAULTS), children(service(), DEFAULTS)
    first[-1]["spec"]["template"]["metadata"]["labels"]["a"] = "b"
    first[-1]["metadata"]["labels"]["a"] = "b"
    assert second == children(service(), DEFAULTS)


@pytest.mark.parametrize("name", SPECS)
def test_what_every_child_shares(name: str) -> None:
    for manifest in children(service(spec(name)), DEFAULTS):
        metadata = manifest["metadata"]
        assert metadata["namespace"] == NAMESPACE
        alone = {NAME, f"{NAME}-worker", f"{NAME}-jobs", f"{NAME}-dashboard", f"{NAME}-backend"}
        hashed = f"{NAME}-" if manifest["kind"] == "ControllerRevision" else f"{NAME}-backend-"
        assert metadata["name"] in alone or metadata["name"].startswith(hashed)
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "tts-operator"  # the informers select by it
        (owner,) = metadata["ownerReferences"]
        assert owner["uid"] == UID
        assert owner["controller"]


@pytest.mark.parametrize("name", SPECS)
def test_selectors_agree_and_never_change(name: str) -> None:
    asked = spec(name)
    selectors = [
        child("Deployment", asked)["spec"]["selector"]["matchLabels"],
        child("PodDisruptionBudget", asked)["spec"]["selector"]["matchLabels"],
        child("Service", asked)["spec"]["selector"],
        *(c["labelSelector"]["matchLabels"] for c in pod_spec(asked)["topologySpreadConstraints"]),
    ]
    assert all(s == {"app.kubernetes.io/name": "tts-server", "app.kubernetes.io/instance": NAME} for s in selectors)
    template = child("Deployment", asked)["spec"]["template"]
    assert selectors[0].items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize("name", SPECS)
def test_the_restricted_pod_security_standard(name: str) -> None:
    pod = pod_spec(spec(name))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = pod["containers"][0]["securityContext"]
    # A backend's image is not ours, and may write anywhere.
    own = [each for each in pod.get("initContainers", ()) if each["name"] != "backend"]
    assert all(each["securityContext"] == security for each in own)
    assert not [found for each in children(service(spec(name)), DEFAULTS) if each["kind"] == "Deployment"
                for found in problems(each["spec"]["template"])]  # fmt: skip
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_the_grace_period_outlasts_the_drain_and_the_longest_request() -> None:
    assert GRACE_SECONDS > DRAIN_SECONDS + 30


def test_a_loading_model_is_not_killed_before_its_time() -> None:
    (server,) = pod_spec()["containers"]
    probe = server["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


@pytest.mark.parametrize(
    "tolerations, seconds",
    [
        ([], {"not-ready": 5, "unreachable": 5}),
        ([{"key": "spot", "operator": "Exists"}], {"not-ready": 5, "unreachable": 5}),
        (
            [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
            {"not-ready": None, "unreachable": 5},
        ),
    ],
)
def test_lost_nodes(tolerations: list[Json], seconds: dict[str, int | None]) -> None:
    found = pod_spec({"placement": {"tolerations": tolerations}})["tolerations"]
    assert found[: len(tolerations)] == tolerations
    prefix = "node.kubernetes.io/"
    lost = {t["key"].removeprefix(prefix): t.get("tolerationSeconds") for t in found if t["key"].startswith(prefix)}
    assert lost == seconds


@pytest.mark.parametrize(
    "image, reference",
    [
        ({}, "ghcr.io/tts-operator/tts-server:v0.1.0"),
        ({"repository": "a.example/b"}, "a.example/b:v0.1.0"),
        ({"repository": "a.example/b", "tag": "v2"}, "a.example/b:v2"),
        ({"repository": "a.example:5000/b", "tag": "v2"}, "a.example:5000/b:v2"),
        ({"repository": "a.example/b", "digest": "sha256:" + "0" * 64}, "a.example/b@sha256:" + "0" * 64),
    ],
)
def test_image_reference(image: Json, reference: str) -> None:
    assert image_reference(Image.model_validate(image), DEFAULTS.image) == reference


@pytest.mark.parametrize(
    "disruption, budget",
    [
        ({}, {"maxUnavailable": 1}),
        ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
        ({"maxUnavailable": "50%"}, {"maxUnavailable": "50%"}),
        ({"minAvailable": 2}, {"minAvailable": 2}),
        ({"minAvailable": 0}, {"minAvailable": 0}),
    ],
)
def test_disruption_budget(disruption: Json, budget: Json) -> None:
    found = child("PodDisruptionBudget", {"disruption": disruption})["spec"]
    assert {name: value for name, value in found.items() if name in {"minAvailable", "maxUnavailable"}} == budget


@pytest.mark.parametrize(
    "disruption, budget",
    [
        ({}, {"maxUnavailable": 1}),
        ({"minAvailable": 1}, {"maxUnavailable": 1}),  # of a canary of one pod none could ever be drained
        ({"minAvailable": "50%"}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "50%"}, {"maxUnavailable": "50%"}),
    ],
)
def test_the_budget_of_a_candidate_blocks_no_drain(disruption: Json, budget: Json) -> None:
    found = pod_disruption_budget(service({"disruption": disruption}), of_candidate=True)["spec"]
    assert {name: value for name, value in found.items() if name in {"minAvailable", "maxUnavailable"}} == budget


@pytest.mark.parametrize("port, address", [(80, "http://narrator.speech.svc"), (81, "http://narrator.speech.svc:81")])
def test_url(port: int, address: str) -> None:
    assert url(service({"service": {"port": port}})) == address


@pytest.mark.parametrize(
    "more, address",
    [
        ({}, "http://speech.example.com"),
        ({"scheme": "https"}, "https://speech.example.com"),
        ({"scheme": "https", "hostnames": []}, "http://narrator.speech.svc"),
    ],
)
def test_url_of_a_gateway(more: Json, address: str) -> None:
    gateway = {"parentRefs": [{"name": "public"}], "hostnames": ["speech.example.com"], **more}
    assert url(service({"gateway": gateway})) == address


@pytest.mark.parametrize("absent", ["nodeSelector", "priorityClassName", "imagePullSecrets"])
def test_what_nobody_asked_for_is_not_set(absent: str) -> None:
    assert absent not in pod_spec()
    assert absent in pod_spec(spec("everything"))


def test_requests_fit_in_limits_by_default() -> None:
    resources: dict[str, Any] = pod_spec()["containers"][0]["resources"]
    for name, limit in resources["limits"].items():
        assert quantity(resources["requests"][name]) <= quantity(limit)


def test_paused_changes_no_manifest() -> None:
    assert children(service({"paused": True}), DEFAULTS) == children(service(), DEFAULTS)
