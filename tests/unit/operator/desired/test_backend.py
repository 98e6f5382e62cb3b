"""The backend: a sidecar, pods of its own, or a server elsewhere; and which revision asks which backend."""

import json
from dataclasses import replace
from string import Template
from typing import Any

import pytest

from tests.unit.operator.desired.test_desired import given
from tests.unit.operator.desired.test_desired import spec as golden
from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, NOW, OPEN, applied, body, plan, pod, service, world
from tts_operator.api import TTSService
from tts_operator.api.backend import Backend
from tts_operator.desired import children, children_of
from tts_operator.desired.backend import backends
from tts_operator.desired.identity import BACKEND_LABEL, backend_name
from tts_operator.desired.revision import Revision, revisions_of, wanted_revision
from tts_operator.desired.worker_scaling import WorkerScale
from tts_operator.desired.workloads import Candidate, DesiredWorkloads
from tts_operator.json_object import Json
from tts_operator.objects import Pod
from tts_operator.policy import Policy
from tts_operator.reconcile.observed.snapshot import Observed, address
from tts_operator.reconcile.rollout.replicas import backend_scale

OPTIONAL_KINDS = {"HorizontalPodAutoscaler", "NetworkPolicy", "PodMonitor"}
IMAGE = "registry.example.com/kokoro:v1"
VOICES = [{"name": "zf_xiaoxiao"}]
NO_WORKERS = WorkerScale(replicas=None, by_keda=True)
METRIC = {
    "type": "Pods",
    "pods": {"metric": {"name": "waiting"}, "target": {"type": "AverageValue", "averageValue": 4}},
}


def upstream(*, image: str = IMAGE, mode: str = "Separate", container: Json | None = None, **more: Any) -> Json:
    """A spec with an upstream that the operator runs."""
    fields = {"voices": VOICES, "container": {"image": image, **(container or {})}}
    return {"backend": {"mode": mode, "upstream": fields, **more}}


def of_kind(kind: str, spec: Json) -> dict[str, Json]:
    """The children of this kind, by name."""
    return {each["metadata"]["name"]: each for each in children(service(spec), DEFAULTS) if each["kind"] == kind}


def revision(spec: Json) -> Revision:
    return wanted_revision(service(spec), DEFAULTS.image, ())


def hash_of(spec: Json) -> str:
    found = revision(spec).backend
    assert found is not None
    return found.hash


def name_of(spec: Json) -> str:
    return backend_name(service(spec), hash_of(spec))


def environment(spec: Json) -> dict[str, str]:
    (container,) = revision(spec).template["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_every_field_is_in_a_golden_file() -> None:
    names = ("separate", "sidecar", "elsewhere", "triton-elsewhere")
    specs = (Backend.model_validate(golden(f"backend-{name}")["backend"]) for name in names)
    fields = [dict(given(each)) for each in specs]
    known = {name for found in fields for name in found}
    never = {name for name in known if not any(found.get(name) for found in fields)}
    elsewhere = ("placement.", "autoscaling.", "triton.container.")  # types that other fields have too
    assert {name for name in never if not name.startswith(elsewhere)} == {
        "replicas",
        "triton.repository.cpus",
    }


def test_what_a_user_writes_reaches_the_server_as_it_is() -> None:
    """The kubelet expands variables, and the server fills in placeholders."""
    found = environment(golden("backend-separate"))
    seen = {
        name: Template(value.replace("$$", "\0")).safe_substitute().replace("\0", "$") for name, value in found.items()
    }
    assert json.loads(seen["TTS_UPSTREAM_BODY"]) == {"instructions": "${instructions}", "stream": True}
    assert json.loads(seen["TTS_UPSTREAM_VOICES"])["guest"]["body"] == {"ref_text": "$(HOME) costs $$5"}
    assert "$(" not in found["TTS_UPSTREAM_VOICES"].replace("$$(", "")


def test_a_service_without_a_backend_is_as_it_was() -> None:
    assert revision({}).backend is None
    assert "backend" not in revision({}).inputs
    assert "backend" not in of_kind("ControllerRevision", {})[revision({}).name]["data"]


def test_each_version_of_a_separate_backend_has_objects_of_its_own() -> None:
    old, new = upstream(), upstream(image="registry.example.com/kokoro:v2")
    assert name_of(old) != name_of(new)
    for spec in (old, new):
        name = name_of(spec)
        for kind in ("Deployment", "Service", "PodDisruptionBudget"):
            assert name in of_kind(kind, spec), kind
        assert environment(spec)["TTS_UPSTREAM_URL"] == f"http://{name}.{NAMESPACE}.svc:8000/v1"
        assert environment(spec)["TTS_UPSTREAM_REVISION"] == hash_of(spec)
        assert revision(spec).template["metadata"]["labels"][BACKEND_LABEL] == hash_of(spec)
        selector = of_kind("Deployment", spec)[name]["spec"]["selector"]["matchLabels"]
        labels = of_kind("Deployment", spec)[name]["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
        assert of_kind("Service", spec)[name]["spec"]["selector"] == selector


def test_a_name_is_never_too_long_for_a_service() -> None:
    long = TTSService.parse({**body(upstream()), "metadata": {**body()["metadata"], "name": "n" * 50}})
    assert all(len(each["metadata"]["name"]) <= 63 for each in children(long, DEFAULTS) if each["kind"] == "Service")


def test_only_its_own_objects_select_the_pods_of_a_backend() -> None:
    spec = {**upstream(), "monitoring": {"podMonitor": {"enabled": True}}, "networkPolicy": {"enabled": True}}
    labels = of_kind("Deployment", spec)[name_of(spec)]["spec"]["template"]["metadata"]["labels"]
    selecting = set()
    for each in children(service(spec), DEFAULTS):
        asked = each.get("spec", {})
        selector = asked.get("podSelector", asked.get("selector", {}))
        selector = selector.get("matchLabels", selector)
        if selector and selector.items() <= labels.items():
            selecting.add((each["kind"], each["metadata"]["name"]))
    own = {(kind, name_of(spec)) for kind in ("Deployment", "Service", "PodDisruptionBudget")}
    # The policy of all pods opens a port that only servers have.
    assert selecting == own | {("NetworkPolicy", f"{NAME}-backend"), ("NetworkPolicy", NAME)}
    ports = [port["name"] for port in revision(spec).backend.template["spec"]["containers"][0]["ports"]]  # type: ignore[union-attr]
    opened = of_kind("NetworkPolicy", spec)[NAME]["spec"]["ingress"][0]["ports"]
    assert not {each["port"] for each in opened} & set(ports)


def test_the_number_of_pods_makes_no_revision() -> None:
    assert revision(upstream()) == revision(upstream(replicas=7))
    assert revision(upstream()) == revision(upstream(autoscaling={"metrics": [METRIC]}))
    assert revision(upstream()).template_hash != revision(upstream(container={"args": ["--fast"]})).template_hash
    assert of_kind("Deployment", upstream())[name_of(upstream())]["spec"]["replicas"] == 2
    assert of_kind("Deployment", upstream(replicas=7))[name_of(upstream())]["spec"]["replicas"] == 7


def test_a_revision_is_read_as_it_was_written() -> None:
    written = revision(upstream())
    (read,) = revisions_of([written.manifest(service(upstream()))])
    assert read.backend == written.backend
    stripped = read.stripped()
    assert stripped.backend is not None
    assert (stripped.backend.hash, stripped.backend.template, stripped.model.name) == (hash_of(upstream()), {}, "tts-1")


@pytest.mark.parametrize(
    "found", [None, [], {"hash": 7}, {"hash": "../../secret", "template": {}}, {"hash": "0a1b2c3d", "template": {}}]
)
def test_whatever_else_is_in_a_revision(found: Any) -> None:
    """Others may write ControllerRevisions too."""
    manifest = revision(upstream()).manifest(service(upstream()))
    (read,) = revisions_of([{**manifest, "data": {**manifest["data"], "backend": found}}])
    assert read.backend is None


def test_a_sidecar_starts_before_the_server_and_stops_after_it() -> None:
    template = revision(upstream(mode="Sidecar"))
    (sidecar,) = template.template["spec"]["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("backend", "Always")
    assert environment(upstream(mode="Sidecar"))["TTS_UPSTREAM_URL"] == "http://127.0.0.1:8000/v1"
    assert template.backend is None
    other = upstream(mode="Sidecar", image="registry.example.com/kokoro:v2")
    revisions = {environment(each)["TTS_UPSTREAM_REVISION"] for each in (upstream(mode="Sidecar"), other)}
    assert len(revisions) == 2


def test_a_model_is_fetched_before_the_backend_starts() -> None:
    hub = {"engine": "modelscope", "name": "damo/model", "revision": "v1"}
    spec = {"model": hub, "backend": {"triton": {"container": {"image": IMAGE}}}}
    assert [each["name"] for each in revision(spec).template["spec"]["initContainers"]] == ["fetch", "backend"]
    assert environment(spec)["TTS_TRITON_FRONT_END"] == "modelscope"


def test_behind_a_triton_a_voice_keeps_its_name() -> None:
    """Clients that name the model do not notice the move."""
    found = revision(golden("backend-sidecar"))
    assert (found.model.name, found.model.engine) == (None, "fastspeech2")
    assert found.stripped().has_backend
    assert environment(golden("backend-sidecar"))["TTS_MODEL_NAME"] == "fastspeech2"


def test_models_are_written_anew_with_each_image_of_the_server() -> None:
    spec = golden("backend-sidecar")
    moved = {**spec, "image": {"repository": "registry.example.com/tts-server", "tag": "v7"}}
    writers = [revision(each).template["spec"]["initContainers"][0]["image"] for each in (spec, moved)]
    assert writers == [DEFAULTS.image, "registry.example.com/tts-server:v7"]
    apart = {**moved, "backend": {**moved["backend"], "mode": "Separate"}}
    assert hash_of(apart) != hash_of({**apart, "image": {}})


def workloads(stable: Json, candidate: Json | None = None, workers: Json | None = None) -> DesiredWorkloads:
    return DesiredWorkloads(
        revision=revision(stable),
        replicas=3,
        candidate=Candidate(revision=revision(candidate), replicas=1) if candidate else None,
        workers=revision(workers) if workers else None,
    )


@pytest.mark.parametrize(
    "found, wanted",
    [
        (workloads(upstream()), [upstream()]),
        (workloads({}, upstream()), [upstream()]),
        (workloads(upstream(), {}), [upstream()]),
        (workloads(upstream(), upstream(image="a/b")), [upstream(), upstream(image="a/b")]),
        (workloads(upstream(image="a/b"), workers=upstream()), [upstream(image="a/b"), upstream()]),
        (workloads(upstream(), {**upstream(), "server": {"logLevel": "debug"}}), [upstream()]),
    ],
    ids=["steady", "first", "last", "canary", "in place", "the same backend"],
)
def test_each_running_revision_has_its_backend(found: DesiredWorkloads, wanted: list[Json]) -> None:
    made = children_of(service(upstream()), found, DEFAULTS, NO_WORKERS)
    names = {each["metadata"]["name"] for each in made if each["kind"] == "Deployment"} - {NAME, f"{NAME}-candidate"}
    assert names == {name_of(each) for each in wanted}


def asking(spec: Json, *, stops: bool = True) -> Pod:
    """A pod that asks the backend of this spec."""
    found = pod(deleted=stops)
    found["metadata"]["labels"] = dict(revision(spec).template["metadata"]["labels"])
    return found


def leftover(spec: Json) -> list[Json]:
    """The live objects of this spec's backend."""
    found = [each for each in children(service(spec), DEFAULTS) if each["metadata"]["name"] == name_of(spec)]
    return [applied(each) for each in found]


def test_a_backend_stays_until_the_last_pod_that_asks_it_has_stopped() -> None:
    """A server that drains still speaks."""
    old, asked = upstream(image="registry.example.com/kokoro:v0"), service(upstream())
    observed = world(asked, live=leftover(old))
    draining = plan(asked, replace(observed, pods=[asking(old)]), DEFAULTS, now=NOW, policy=OPEN)
    assert (draining.delete, draining.waiting) == ([], True)
    gone = plan(asked, replace(observed, pods=[asking(upstream(), stops=False)]), DEFAULTS, now=NOW, policy=OPEN)
    assert {each["kind"] for each in gone.delete} == {"Deployment", "Service", "PodDisruptionBudget"}
    assert not gone.waiting


def test_what_is_optional_goes_although_the_backend_is_asked() -> None:
    """An autoscaler that stayed would fight for the number of pods."""
    scaled = upstream(autoscaling={"metrics": [METRIC]})
    more = {"networkPolicy": {"enabled": True}, "monitoring": {"podMonitor": {"enabled": True}}}
    before = [applied(each) for each in children(service({**scaled, **more}), DEFAULTS)]
    asked = service(upstream(replicas=3))
    observed = replace(world(asked, live=[each for each in before if each["kind"] in OPTIONAL_KINDS]),
                       pods=[asking(upstream(), stops=False)])  # fmt: skip
    found = plan(asked, observed, DEFAULTS, now=NOW, policy=OPEN)
    assert {each["kind"] for each in found.delete} == OPTIONAL_KINDS
    assert not found.waiting


def test_a_pod_that_was_evicted_keeps_no_backend() -> None:
    old, asked = upstream(image="registry.example.com/kokoro:v0"), service(upstream())
    evicted = asking(old, stops=False)
    evicted["status"]["phase"] = "Failed"
    found = plan(asked, replace(world(asked, live=leftover(old)), pods=[evicted]), DEFAULTS, now=NOW, policy=OPEN)
    assert "Deployment" in {each["kind"] for each in found.delete}


def test_a_backend_that_the_spec_no_longer_has_keeps_its_size_while_it_serves() -> None:
    old = upstream(replicas=7)
    live = [{**each, "spec": {**each["spec"], "replicas": 7}} if each["kind"] == "Deployment" else each
            for each in leftover(old)]  # fmt: skip
    running = [each.backend for each in (revision(old),) if each.backend]
    observed = replace(world(service({}), live=live))
    assert backend_scale(service({}), observed, running).replicas == {hash_of(old): 7}


def test_no_autoscaler_shrinks_a_backend_that_idles_during_a_rollout() -> None:
    scaled = {"minReplicas": 2, "maxReplicas": 9, "metrics": [METRIC]}
    old, new = upstream(autoscaling=scaled), upstream(image="registry.example.com/kokoro:v2", autoscaling=scaled)
    live = [{**each, "spec": {**each["spec"], "replicas": 6}} if each["kind"] == "Deployment" else each
            for each in leftover(old)]  # fmt: skip
    both = [each.backend for each in (revision(old), revision(new)) if each.backend]
    observed = world(service({}), live=live)
    found = backend_scale(service(new), observed, both)
    assert found.minimum == 6
    made = list(backends(service(new), both, found))
    assert {each["spec"]["minReplicas"] for each in made if each["kind"] == "HorizontalPodAutoscaler"} == {6}
    assert backend_scale(service(new), observed, both[:1]).minimum == 0


def test_a_newer_operator_with_more_defaults_makes_no_revision() -> None:
    recorded = revision(upstream())
    older = {**recorded.inputs, "backend": json.loads(json.dumps(recorded.inputs["backend"]))}
    del older["backend"]["upstream"]["sentenceSyllables"]
    found = replace(recorded, inputs=older)
    assert wanted_revision(service(upstream()), DEFAULTS.image, [found]).name == recorded.name
    assert wanted_revision(service({}), DEFAULTS.image, [found]).name != recorded.name


def test_a_volume_has_no_name_that_the_pod_has_already() -> None:
    spec = upstream(mode="Sidecar", volumes=[{"name": "tmp", "emptyDir": {}}],
                    container={"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]})  # noqa: S108 # fmt: skip
    pod_spec = revision(spec).template["spec"]
    assert [each["name"] for each in pod_spec["volumes"]] == ["tmp", "backend-tmp"]
    assert pod_spec["initContainers"][0]["volumeMounts"][0]["name"] == "backend-tmp"


def test_the_resources_of_the_server_are_none_of_the_backend_s_business() -> None:
    spec = golden("backend-sidecar")
    apart = {**spec, "backend": {**spec["backend"], "mode": "Separate"}}
    assert hash_of(apart) == hash_of({**apart, "resources": {"limits": {"cpu": "7", "memory": "9Gi"}}})


def deployed(observed: Observed, spec: Json) -> Json | None:
    """The manifest of the backend's Deployment that is to be applied; None if it stays."""
    asked = service(spec)
    found = plan(asked, observed, DEFAULTS, now=NOW, policy=OPEN)
    return next((each for each in found.apply if each["metadata"]["name"] == name_of(spec) and
                 each["kind"] == "Deployment"), None)  # fmt: skip


def test_a_new_backend_starts_with_as_many_pods_as_the_old_one_has() -> None:
    scaled = {"minReplicas": 2, "maxReplicas": 9, "metrics": [METRIC]}
    old, new = upstream(autoscaling=scaled), upstream(image="registry.example.com/kokoro:v2", autoscaling=scaled)
    found = [{**each, "spec": {**each["spec"], "replicas": 6}} if each["kind"] == "Deployment" else each
             for each in leftover(old)]  # fmt: skip
    first = pod("narrator-backend-1")
    first["metadata"]["labels"] = dict(revision(old).backend.template["metadata"]["labels"])  # type: ignore[union-attr]
    observed = world(service(new), live=found)
    left = {at: each for at, each in observed.children.items() if at[2] != name_of(new)}
    manifest = deployed(replace(observed, children=left, backends=[first]), new)
    assert manifest is not None
    assert manifest["spec"]["replicas"] == 6


def test_the_autoscaler_owns_the_replicas() -> None:
    spec = upstream(autoscaling={"minReplicas": 2, "maxReplicas": 9, "metrics": [METRIC]})
    asked = service(spec)
    observed = world(asked)
    at = next(at for at in observed.children if at[1:] == ("Deployment", name_of(spec)))
    scaled = {**observed.children[at], "spec": {**observed.children[at]["spec"], "replicas": 5}}
    found = plan(asked, replace(observed, children={**observed.children, at: scaled}), DEFAULTS, now=NOW, policy=OPEN)
    assert not [each for each in found.apply if address(each) == at and each["spec"].get("replicas", 5) != 5]


@pytest.mark.parametrize(
    "spec, field",
    [
        (upstream(), "spec.backend.upstream.container.image"),
        (upstream(mode="Sidecar"), "spec.backend.upstream.container.image"),
        (
            upstream(volumes=[{"name": "a", "image": {"reference": "a.example/weights:1"}}]),
            "spec.backend.volumes: the image",
        ),
        (upstream(placement={"priorityClassName": "first"}), "spec.backend.placement.priorityClassName"),
    ],
    ids=["separate", "sidecar", "image volume", "priority"],
)
def test_the_policy_applies_to_the_backend(spec: Json, field: str) -> None:
    """Unlike the server's image, a backend's is never allowed by default."""
    asked = service(spec)
    found = plan(asked, world(asked), DEFAULTS, now=NOW, policy=Policy())
    assert field in found.violation
    allowed = Policy(images=("*",), priority_classes=("*",))
    assert plan(asked, world(asked), DEFAULTS, now=NOW, policy=allowed).violation == ""


def test_an_edited_revision_does_not_get_past_the_policy() -> None:
    """The backend's pods are recorded in an object that a tenant may write."""
    asked = service(upstream())
    recorded = revision(upstream())
    assert recorded.backend is not None
    bad = json.loads(json.dumps(recorded.backend.template))
    bad["spec"]["hostNetwork"] = True
    edited = replace(recorded, backend=replace(recorded.backend, template=bad)).manifest(asked)
    observed = world(asked, live=[applied(edited)])
    found = plan(asked, observed, DEFAULTS, now=NOW, policy=Policy(images=("*",)))
    assert "hostNetwork" in found.violation
    assert not found.apply
