"""Rollouts that a person steers with kubectl tts, and that they stay where they were left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from devcluster import binaries
from tests.e2e.place import Place, until
from tests.e2e.rollouts import Voice, voice

pytestmark = pytest.mark.timeout(300, func_only=True)
QUIET_SECONDS = 60
STEPS = {"steps": [{"weight": 20}, {"weight": 50, "holdSeconds": 3600}]}
KEY = "a-key-of-the-tests"
OBJECTS = "ttsservices,deployments,services,controllerrevisions,poddisruptionbudgets,ingresses,serviceaccounts"


@pytest.fixture(scope="module")
def voices(place: Place, ingress_url: str) -> dict[str, Voice]:
    """Services of one small pod each; one of them wants API keys."""
    place.kubectl("create", "secret", "generic", "keys", f"--from-literal=keys={KEY}")
    rollout = {"strategy": "Canary", "canary": STEPS}
    preview = {"strategy": "BlueGreen", "blueGreen": {"autoPromote": False, "scaleDownDelaySeconds": 3600}}
    made = {
        name: voice(place, ingress_url, name, "ingress", replicas=1, rollout=rollout)
        for name in ("promoted", "aborted", "undone", "paused")
    }
    made["previewed"] = voice(place, ingress_url, "previewed", "ingress", replicas=1, rollout=preview)
    return made


def plugin(speaker: Voice, *words: str, code: int = 0) -> str:
    """Run kubectl tts as a user does; what it says."""
    kubectl = binaries.path_of("kubectl")
    path = os.pathsep.join([str(Path(sys.executable).parent), str(kubectl.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(speaker.place.product.provider.kubeconfig())}
    command = ["kubectl", "tts", *words[:1], speaker.name, *words[1:], f"--namespace={speaker.place.name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_each_ends_as_documented_and_then_nothing_is_written(voices: dict[str, Voice]) -> None:
    place = voices["promoted"].place
    good = voices["promoted"].version("b")
    for each in voices.values():
        each.apply(good)
    for name in ("promoted", "aborted", "undone", "paused"):
        voices[name].until_phase("Stepping", 120, step=0)

    plugin(voices["aborted"], "abort")
    assert "(Aborted)" in voices["aborted"].until_rolled_back(60)["message"]

    plugin(voices["paused"], "pause")
    plugin(voices["paused"], "promote")

    plugin(voices["promoted"], "promote")
    voices["promoted"].until_phase("Stepping", 60, step=1)
    plugin(voices["promoted"], "promote", "--full")
    voices["promoted"].until_done(90)

    plugin(voices["undone"], "promote", "--full")
    voices["undone"].until_done(90)
    assert "Git" in plugin(voices["undone"], "undo")
    voices["undone"].until_phase("Stepping", 90, step=0)
    plugin(voices["undone"], "promote", "--full")
    until(
        "the older one runs",
        lambda: place.condition("undone").get("reason") == "Undone" and not voices["undone"].rollout(),
        90,
        otherwise=lambda: place.status("undone"),
    )

    voices["previewed"].until_phase("Previewing", 60)
    plugin(voices["previewed"], "promote")
    voices["previewed"].until_phase("Switched", 60)

    phases = {name: each.rollout().get("phase", "") for name, each in voices.items()}
    assert phases == {
        "promoted": "",
        "aborted": "RolledBack",
        "undone": "",
        "paused": "Stepping",
        "previewed": "Switched",
    }
    until_at_rest(place)
    before = written(place)
    watch_quietly(place, before)
    assert place.status("paused")["rollout"]["step"] == 0

    voices["paused"].apply(good, rollout={**voices["paused"].spec["rollout"], "paused": False})
    voices["paused"].until_phase("Stepping", 60, step=1)
    plugin(voices["undone"], "undo", "--clear")
    voices["undone"].until_phase("Stepping", 60, step=0)
    for each in voices.values():
        each.leave()


def test_a_service_that_wants_api_keys_is_checked_as_well(place: Place, ingress_url: str) -> None:
    server = {"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}}
    speaker = Voice(place, "locked", ingress_url, {"replicas": 1, "server": server})
    speaker.apply()
    place.ready("locked")
    assert place.speak("locked").status == 401
    speaker.apply(speaker.version("b"))
    speaker.until_done(90)
    with speaker.watched():
        speaker.apply(speaker.version("silence"))
        assert "(SpeechCheckFailed)" in speaker.until_rolled_back(60)["message"]
    speaker.leave()


def written(place: Place) -> dict[str, str]:
    """The version of every object that the operator writes."""
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in place.get(OBJECTS)["items"]
    }


def until_at_rest(place: Place) -> None:
    """Wait until the last pods have gone, and what their going does to the counts has been told."""
    last: list[dict[str, str]] = []

    def still() -> bool:
        last.append(written(place))
        return len(last) > 10 and all(each == last[-1] for each in last[-10:])

    until("nothing changes any more", still, 90)


def watch_quietly(place: Place, before: dict[str, str]) -> None:
    """See for a minute that nothing is written."""
    end, pause = time.monotonic() + QUIET_SECONDS, threading.Event()
    while time.monotonic() < end:
        assert written(place) == before
        pause.wait(2)
