"""A service whose sound comes from a backend: through the gate, with a bad one rolled back, and with its pods killed.

The backend is the server of this repository, asked by OpenAI's API like any other. Servers of others are too large for
each run: see test_real_backends.py.
"""

from __future__ import annotations

import pytest

from bench.figures import Figure
from devcluster.product import SERVER
from tests.e2e.faults import images
from tests.e2e.namespace import SMALL, Namespace, until
from tests.e2e.rollouts import QUICK, SpeechService, create_service
from tts_operator.json_object import Json

pytestmark = pytest.mark.timeout(700, func_only=True)
ASKED_PORT = 7860
DEADLINE = 180
BACK_SECONDS = 10


def backend(ns: Namespace, version: str | None = None) -> Json:
    """`spec.backend` with a version of the server in pods of its own."""
    image = ns.product.reference(SERVER)
    if version is not None:
        found = images.ensure(ns.product, version)[version]
        image = f"{found['repository']}:{found['tag']}"
    container = {
        "image": image,
        "port": ASKED_PORT,
        "readinessPath": "/ready",
        "resources": {**SMALL, "limits": {"cpu": "2", "memory": "2Gi"}},
        # Its root file system is writable, but for this.
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the pod
    }
    asked = {
        "container": container,
        "model": "fastspeech2",
        "readinessPath": "/ready",
        "voices": [{"name": "narrator", "voice": "baker"}],
        "maxConcurrentRequests": 4,
    }
    return {"mode": "Separate", "replicas": 2, "volumes": [{"name": "tmp", "emptyDir": {}}], "upstream": asked}


@pytest.fixture(scope="module")
def fronted(ns: Namespace, ingress_url: str) -> SpeechService:
    rollout = {**QUICK, "progressDeadlineSeconds": DEADLINE}
    return create_service(ns, ingress_url, "fronted", "ingress", backend=backend(ns), rollout=rollout)


def backends(service: SpeechService) -> list[Json]:
    """The Deployments of its separate backends."""
    found = service.ns.get("deployments", "-l", f"app.kubernetes.io/instance={service.name}")["items"]
    return [each for each in found if "-backend-" in each["metadata"]["name"]]


def names(objects: list[Json]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def backend_pods(service: SpeechService) -> list[str]:
    """The names of the pods of its backends."""
    selector = f"app.kubernetes.io/instance={service.name},app.kubernetes.io/name=tts-backend"
    items = service.ns.get("pods", "-l", selector)["items"]
    return names([each for each in items if "deletionTimestamp" not in each["metadata"]])


def test_the_sound_of_a_backend_passes_the_gate(fronted: SpeechService) -> None:
    assert fronted.ns.condition(fronted.name, "BackendReady")["status"] == "True"
    assert fronted.ns.status(fronted.name)["model"] == "fastspeech2"
    with fronted.under_load() as load, fronted.observe_rollout() as seen:
        fronted.apply(backend=backend(fronted.ns, "b"))
        until("the new backend is rolled out", lambda: seen.phases[-1:] == [""] and len(seen.phases) > 2, 200)
        fronted.until_done(120)
        until("the old backend is gone", lambda: len(backends(fronted)) == 1, 120)
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()


def test_a_bad_backend_is_rolled_back_unnoticed(fronted: SpeechService, figures: list[Figure]) -> None:
    ready = rolled_back(fronted, backend(fronted.ns, "crash"), figures)
    assert "(CrashLoop)" in ready["message"]
    assert f"pod {fronted.name}-backend-" in ready["message"]
    fronted.apply(backend=backend(fronted.ns, "b"))  # as it was
    fronted.until_done(150)


def rolled_back(service: SpeechService, bad: Json, figures: list[Figure]) -> Json:
    """Roll out a bad backend under load. Nobody notices; the Ready condition after the rollback."""
    (before,) = backends(service)
    with service.under_load() as load:
        service.apply(backend=bad)
        ready = service.until_rolled_back(DEADLINE + 60)
        until("its backend is gone", lambda: names(backends(service)) == names([before]), 120)
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()
    figures.append(Figure(f"{service.name}, a bad backend: failed requests", len(load.result.failures), "requests", 0))
    return ready


def test_a_service_is_back_soon_after_its_backend(fronted: SpeechService) -> None:
    fronted.ns.kubectl("delete", "pod", "--force", "--grace-period=0", *backend_pods(fronted))
    until("the operator says so", lambda: fronted.ns.condition(fronted.name, "BackendReady")["status"] == "False", 60)
    (deployment,) = backends(fronted)
    name = deployment["metadata"]["name"]
    fronted.ns.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s", timeout=130)
    until("the service speaks", fronted.speaks, BACK_SECONDS + 20)
    fronted.ns.wait_until_ready(fronted.name)
