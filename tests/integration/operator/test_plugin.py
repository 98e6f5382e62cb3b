"""kubectl tts as users run it: through kubectl, against a real API server.

The test writes the status as the operator would, so that each state of a rollout stays as long as it is looked at.
"""

from __future__ import annotations

import asyncio
import datetime
import http.server
import json
import os
import socket
import sys
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster import binaries
from devcluster.progress import Progress
from devcluster.provider import Devcluster
from tests.integration.operator.world import World, until
from tts_operator.cli.view import ABORT, PROMOTE, UNDO
from tts_operator.json_object import Json
from tts_operator.kube.resources import TTSSERVICES, Resource

REVISIONS = Resource(group="apps", version="v1", kind="ControllerRevision", plural="controllerrevisions")
STEPS = [{"weight": 10, "holdSeconds": 3600}, {"weight": 50}]
NAME = "narrator"


@dataclass(frozen=True)
class Ran:
    """The result of one run."""

    code: int
    out: str
    err: str


@dataclass
class Plugin:
    """A service whose status the test writes, and the plugin before it."""

    world: World
    environment: dict[str, str]

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "kubectl", "tts", *words, f"--namespace={self.world.namespace}",
            env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, *words: str) -> Ran:
        process = await self.start(*words)
        out, err = await asyncio.wait_for(process.communicate(), timeout=60)
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def status(self, **status: object) -> None:
        body = await self.body()
        status = {"observedGeneration": body["metadata"]["generation"], "conditions": [], **status}
        path = TTSSERVICES.path(self.world.namespace, NAME) + "/status"
        await self.world.client._request("PUT", path, body={**body, "status": status})

    async def body(self) -> Json:
        body = await self.world.get(TTSSERVICES, NAME)
        assert body is not None
        return body

    async def annotations(self) -> dict[str, str]:
        found: dict[str, str] = (await self.body())["metadata"].get("annotations", {})
        return found

    async def canary(self, step: int = 1) -> None:
        rollout = {"step": step, "steps": 2, "phase": "Stepping", "revision": "narrator-3", "since": now()}
        rolled = {**rollout, "message": "The new pods speak."}
        await self.status(currentRevision="narrator-2", targetRevision="narrator-3", canaryWeight=50, rollout=rolled)

    async def done(self) -> None:
        await self.status(currentRevision="narrator-3", targetRevision="narrator-3")


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.fixture
async def plugin(world: World, tmp_path: Path) -> Plugin:
    """A canary of three revisions."""
    provider = world.product.provider
    if isinstance(provider, Devcluster):
        binaries.ensure(["kubectl"], Progress())
        (tmp_path / "kubectl").symlink_to(binaries.path_of("kubectl"))
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "KUBECONFIG": str(provider.kubeconfig())}
    await world.apply(NAME, {"rollout": {"strategy": "Canary", "canary": {"steps": STEPS}}})
    for number in (1, 2, 3):
        await world.client.patch(REVISIONS, revision(world.namespace, number), manager="tts-operator")
    return Plugin(world, environment)


def revision(namespace: str, number: int) -> Json:
    labels = {"app.kubernetes.io/instance": NAME, "app.kubernetes.io/managed-by": "tts-operator"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": f"narrator-{number}", "namespace": namespace, "labels": labels},
        "revision": number,
        "data": {
            "inputs": {"model": {"engine": "fastspeech2"}, "server": {"maxInputCharacters": number * 100}},
            "template": {"spec": {"containers": [{"name": "server", "image": f"speech:v{number}"}]}},
        },
    }


async def test_a_step_is_promoted_once(plugin: Plugin) -> None:
    await plugin.canary()
    ran = await plugin.run("promote", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert "step 2 of 2" in ran.out
    assert (await plugin.annotations())[PROMOTE] == "narrator-3/1"
    version = (await plugin.body())["metadata"]["resourceVersion"]
    again = await plugin.run("promote", NAME)
    assert again.code == 0
    assert "already promoted" in again.out
    assert (await plugin.body())["metadata"]["resourceVersion"] == version
    assert (await plugin.run("promote", NAME, "--full")).code == 0
    assert (await plugin.annotations())[PROMOTE] == "narrator-3"


async def test_a_refusal_says_what_to_write_and_writes_nothing(plugin: Plugin) -> None:
    await plugin.canary(0)
    version = (await plugin.body())["metadata"]["resourceVersion"]
    ran = await plugin.run("promote", NAME)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: step 1 of 2 needs no promotion: it lasts 1 h more")
    unknown = await plugin.run("undo", NAME, "--to", "9")
    assert unknown.code == 3
    assert "stored revisions: 1, 2, 3" in unknown.err
    missing = await plugin.run("abort", "narator")
    assert missing.code == 3
    assert missing.err == "error: there is no TTSService 'narator' in this namespace; found: narrator\n"
    assert (await plugin.body())["metadata"]["resourceVersion"] == version


async def test_a_rollout_is_aborted(plugin: Plugin) -> None:
    await plugin.canary()
    assert (await plugin.run("abort", NAME)).code == 0
    assert (await plugin.annotations())[ABORT] == "narrator-3"


async def test_an_undo_and_its_end(plugin: Plugin) -> None:
    await plugin.done()
    ran = await plugin.run("undo", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert "still asks for revision 3" in ran.out
    assert (await plugin.annotations())[UNDO] == "narrator-2@narrator-3/3"
    assert (await plugin.run("undo", NAME, "--to", "1")).code == 0
    assert (await plugin.annotations())[UNDO] == "narrator-1@narrator-3/3"
    assert (await plugin.run("undo", NAME, "--clear")).code == 0
    assert UNDO not in await plugin.annotations()
    assert (await plugin.run("undo", NAME, "--clear")).code == 3


async def test_rollouts_are_paused_and_resumed(plugin: Plugin) -> None:
    await plugin.canary()
    ran = await plugin.run("pause", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert "phase Stepping" in ran.out
    assert "commit `paused: true`" in ran.out
    assert (await plugin.body())["spec"]["rollout"]["paused"] is True
    assert (await plugin.run("resume", NAME)).code == 0
    assert not (await plugin.body())["spec"]["rollout"].get("paused")
    assert "not paused" in (await plugin.run("resume", NAME)).out


async def test_history_and_differences(plugin: Plugin) -> None:
    await plugin.canary()
    table = (await plugin.run("history", NAME)).out.splitlines()
    assert [line.split()[0] for line in table] == ["NUMBER", "3", "2", "1"]
    assert "target, being rolled out" in table[1]
    listed = json.loads((await plugin.run("history", NAME, "-o", "json")).out)
    assert [each["image"] for each in listed] == ["speech:v3", "speech:v2", "speech:v1"]
    by_default = await plugin.run("diff", NAME)
    assert by_default.code == 0
    assert "-  maxInputCharacters: 200\n+  maxInputCharacters: 300\n" in by_default.out
    templates = await plugin.run("diff", NAME, "1", "2", "--template")
    assert "-  - image: speech:v1\n+  - image: speech:v2\n" in templates.out


@pytest.mark.parametrize("ends, code", [("done", 0), ("rolled back", 1)])
async def test_the_status_is_watched_to_the_end(plugin: Plugin, ends: str, code: int) -> None:
    await plugin.canary()
    process = await plugin.start("status", NAME, "--watch", "--timeout", "60")
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), timeout=30)
    assert first.decode() == "narrator: revision 3 is being rolled out: step 2 of 2, 50 % of the traffic\n"
    if ends == "done":
        await plugin.done()
    else:
        rollout = {"phase": "RolledBack", "revision": "narrator-3", "since": now(), "reason": "SpeechCheckFailed"}
        rolled = {**rollout, "message": "It is silent."}
        await plugin.status(currentRevision="narrator-2", targetRevision="narrator-3", rollout=rolled)
    out, err = await asyncio.wait_for(process.communicate(), timeout=60)
    assert (process.returncode, err) == (code, b"")
    assert ("revision 3 is rolled out" if not code else "SpeechCheckFailed") in out.decode()


async def test_a_watch_ends_at_its_time_out(plugin: Plugin) -> None:
    await plugin.canary()
    ran = await plugin.run("status", NAME, "--watch", "--timeout", "1", "-o", "json")
    assert ran.code == 124
    assert json.loads(ran.out.splitlines()[0])["state"] == "InProgress"
    said = [line for line in ran.err.splitlines() if not line.startswith("retrying: ")]  # kubectl has a second to run
    assert said == ["error: still in progress after 1 s"]


async def test_a_write_of_the_operator_in_between_is_no_obstacle(plugin: Plugin, tmp_path: Path) -> None:
    """The first annotate comes too late: a wrapper around kubectl changes the service before it."""
    await plugin.canary()
    await in_between(plugin, tmp_path, '"$real" label ttsservices.tts-operator.io narrator touched=yes -n')
    ran = await plugin.run("promote", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert (await plugin.annotations())[PROMOTE] == "narrator-3/1"


async def test_a_step_that_ends_in_between_is_not_promoted(plugin: Plugin, tmp_path: Path) -> None:
    await plugin.canary(1)
    patch = '{"status":{"rollout":{"step":2}}}'
    command = f"'{patch}' --type=merge -n"
    await in_between(
        plugin, tmp_path, f'"$real" patch ttsservices.tts-operator.io narrator --subresource=status -p {command}'
    )
    ran = await plugin.run("promote", NAME)
    assert ran.code == 3
    assert "moved on in the meantime" in ran.err
    assert PROMOTE not in await plugin.annotations()


async def in_between(plugin: Plugin, tmp_path: Path, command: str) -> None:
    """Run something once, right before the first annotate."""
    real = (tmp_path / "kubectl").resolve()
    front = tmp_path / "front"
    front.mkdir()
    script = front / "kubectl"
    once = tmp_path / "once"
    script.write_text(
        f'#!/bin/sh\nreal={real}\ncase "$1" in annotate) if [ ! -e {once} ]; then : > {once}; '
        f'{command} {plugin.world.namespace} >/dev/null; fi;; esac\nexec "$real" "$@"\n'
    )
    script.chmod(0o755)
    plugin.environment["PATH"] = f"{front}:{plugin.environment['PATH']}"


async def test_kubectl_may_be_missing(plugin: Plugin, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "kubectl-tts"), "status", NAME,
        env={**plugin.environment, "PATH": str(tmp_path / "nothing")}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode == 4
    assert err.startswith(b"error: kubectl is not on the PATH")


async def test_a_service_that_goes_away_ends_the_watch(plugin: Plugin) -> None:
    await plugin.canary()
    process = await plugin.start("status", NAME, "--watch")
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), timeout=30)
    uid = (await plugin.body())["metadata"]["uid"]
    await plugin.world.client.delete(TTSSERVICES, plugin.world.namespace, NAME, uid=uid)

    async def gone() -> bool:
        return await plugin.world.get(TTSSERVICES, NAME) is None

    await until(gone, "the service is gone")
    _, err = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode == 3
    assert b"there is no TTSService 'narrator'" in err or b"is being deleted" in err


async def test_services_are_listed(plugin: Plugin) -> None:
    await plugin.canary()
    ran = await plugin.run("get", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1].split()[:2] == [NAME, "InProgress"]
    found = json.loads((await plugin.run("get", "-A", "-o", "json")).out)["items"]
    mine = [each for each in found if each["metadata"]["namespace"] == plugin.world.namespace]
    assert [each["spec"]["rollout"]["strategy"] for each in mine] == ["Canary"]


async def test_a_service_and_its_objects_as_a_tree(plugin: Plugin) -> None:
    await plugin.canary()
    apply(plugin, speaker(plugin, "192.0.2.1", 7860), "192.0.2.1")
    ran = await plugin.run("status", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{NAME} ({plugin.world.namespace}): revision 3 is being rolled out: step 2 of 2")
    assert f"Service  {NAME}  ClusterIP, port 80" in ran.out
    assert "waiting for `kubectl tts promote narrator" in ran.out
    assert "Not read" not in ran.out


async def test_the_cluster_is_checked_and_everything_could_be_read(plugin: Plugin) -> None:
    ran = await plugin.run("doctor", "-o", "json")
    found = {each["check"]: each for each in json.loads(ran.out)}
    assert [each for each in found.values() if each["verdict"] == "unknown"] == []
    assert (found["CRD"]["verdict"], found["Your rights"]["verdict"]) == ("ok", "ok")
    assert (found["Operator"]["verdict"], ran.code) == ("problem", 1)  # the test itself is the operator here


async def test_a_text_is_spoken_through_the_api_server(plugin: Plugin, tmp_path: Path) -> None:
    address = own_address()
    server = http.server.ThreadingHTTPServer((address, 0), Speaker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        apply(plugin, speaker(plugin, address, server.server_address[1]), address)
        ran = await plugin.run("say", NAME, "山高水长", "-o", str(tmp_path / "a.wav"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert (ran.err, ran.code) == ("", 0)
    assert (tmp_path / "a.wav").read_bytes() == "山高水长 as wav".encode()


async def test_a_report_of_a_cluster(plugin: Plugin, tmp_path: Path) -> None:
    file = tmp_path / "report.zip"
    ran = await plugin.run("report", NAME, "-o", str(file))
    assert (ran.code, ran.err) == (0, "")
    with zipfile.ZipFile(file) as archive:
        assert f"name: {NAME}" in archive.read("ttsservices.yaml").decode()
        assert "narrator-3" in archive.read("revisions.yaml").decode()


class Speaker(http.server.BaseHTTPRequestHandler):
    """Answers as a server would."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/audio/speech"
        audio = f"{asked['input']} as {asked['response_format']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(audio)))
        self.end_headers()
        self.wfile.write(audio)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        pass


def own_address() -> str:
    """An address of this machine that the API server may connect to: endpoints cannot be loopback addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback ones")
        return str(probe.getsockname()[0])


def speaker(plugin: Plugin, address: str, port: int) -> Json:
    """The Service of the TTSService, with this endpoint, which belongs to a pod that nobody schedules."""
    namespace = plugin.world.namespace
    labels = {"app.kubernetes.io/instance": NAME, "app.kubernetes.io/managed-by": "tts-operator"}
    metadata = {"name": NAME, "namespace": namespace, "labels": labels}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"schedulerName": "nobody", "containers": [{"name": "server", "image": "speech:v1"}]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
    }
    place = {"ip": address, "targetRef": {"kind": "Pod", "name": NAME, "namespace": namespace}}
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",  # the API server's proxy reads them, and not the slices
        "metadata": metadata,
        "subsets": [{"addresses": [place], "ports": [{"name": "http", "port": port}]}],
    }
    return {"apiVersion": "v1", "kind": "List", "items": [pod, service, endpoints]}


def apply(plugin: Plugin, manifest: Json, address: str) -> None:
    """Create the objects, and give the pod its address: the proxy leads to addresses of pods only."""
    kubectl = plugin.world.product.kubectl
    kubectl("-n", plugin.world.namespace, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    status = json.dumps({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}})
    kubectl("-n", plugin.world.namespace, "patch", "pod", NAME, "--subresource=status", "--type=merge", f"-p={status}")
