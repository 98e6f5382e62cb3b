"""A pod that sends requests like users' programs: from inside the cluster, by name, through the Service."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devcluster.product import Product

NAME = "client"
STOP = "/tmp/stop"  # noqa: S108 - in the pod
SEND = """
import base64, json, sys, urllib.request

def send(asked):
    body = asked["body"].encode() if asked["body"] is not None else None
    request = urllib.request.Request(asked["url"], body, asked["headers"])
    try:
        with urllib.request.urlopen(request, timeout=asked["timeout"]) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get_content_type(), answer.read()
    except OSError as error:
        return 0, "", str(error).encode()

def main():
    for asked in json.load(sys.stdin):
        status, kind, body = send(asked)
        print(json.dumps([status, kind, base64.b64encode(body).decode()]))
"""
"""Reads a JSON list of requests from stdin, and writes one line per response."""
CONSTANT_LOAD = f"""{SEND}
import os, threading, time

def run_load(settings):
    begin, failed, sent, threads = time.monotonic(), [], 0, []
    def one(number):
        asked = settings["request"] | {{"body": settings["request"]["body"].replace("#", str(number))}}
        status, kind, body = send(asked)
        if status != 200 or kind != "audio/wav":
            failed.append([round(time.monotonic() - begin, 2), number, status, body[:300].decode(errors="replace")])
    while sent < settings["most"] and not os.path.exists("{STOP}"):
        threads.append(threading.Thread(target=one, args=(sent,)))
        threads[-1].start()
        sent += 1
        time.sleep(max(0.0, begin + sent / settings["rate"] - time.monotonic()))
    for thread in threads:
        thread.join()
    print(json.dumps({{"sent": sent, "failed": failed}}))
"""
"""Sends requests at a constant rate, whether or not earlier ones have been answered, until the file STOP exists."""


@dataclass(frozen=True)
class Answer:
    """A response. If there was none, the status is 0 and the body is the reason."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class LoadResult:
    """The outcome of requests at a constant rate."""

    sent: int
    failed: list[list[Any]]
    """For each failure: seconds since the start, number, status, body."""


@dataclass
class Load:
    """A running load. Its `result` is set when the block ends."""

    result: LoadResult | None = None


@dataclass(frozen=True)
class Client:
    """The client pod."""

    product: Product
    namespace: str

    def start(self, image: str, zone: str | None = None) -> None:
        """Create the pod and wait until it is ready. `image` must contain python3; `zone` pins the pod to a zone."""
        pod = json.dumps(_pod(image, zone))
        self.product.kubectl("-n", self.namespace, "apply", "-f", "-", stdin=pod)
        self.product.kubectl(
            "-n", self.namespace, "wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=120s", timeout=130
        )

    def send(self, *requests: dict[str, Any], timeout: float = 60) -> list[Answer]:
        """Send requests one after another, each on its own connection."""
        said = self._python(f"{SEND}\nmain()", stdin=json.dumps(requests), timeout=timeout)
        answers = [json.loads(line) for line in said.splitlines()]
        assert len(answers) == len(requests), said
        return [Answer(status, kind, base64.b64decode(body)) for status, kind, body in answers]

    @contextmanager
    def constant_load(self, request: dict[str, Any], *, rate: float, most: int) -> Iterator[Load]:
        """Send a request `rate` times per second while the block runs, at most `most` times. # is its number."""
        settings = {"request": request, "rate": rate, "most": most}
        program = f"{CONSTANT_LOAD}\nrun_load(json.load(sys.stdin))"
        load = Load()
        self.product.kubectl("-n", self.namespace, "exec", NAME, "--", "rm", "-f", STOP)
        with ThreadPoolExecutor(max_workers=1) as pool:
            running = pool.submit(self._python, program, stdin=json.dumps(settings), timeout=most / rate + 60)
            try:
                yield load
            finally:
                self.product.kubectl("-n", self.namespace, "exec", NAME, "--", "touch", STOP)
            load.result = LoadResult(**json.loads(running.result()))

    def _python(self, program: str, *, stdin: str, timeout: float) -> str:
        return self.product.kubectl(
            "-n", self.namespace, "exec", "-i", NAME, "--", "python3", "-c", program, stdin=stdin, timeout=timeout
        )


def get(url: str, *, timeout: float = 20) -> dict[str, Any]:
    """Return a GET request."""
    return {"url": url, "body": None, "headers": {}, "timeout": timeout}


def post(url: str, body: str, *, content_type: str = "application/json", timeout: float = 30) -> dict[str, Any]:
    """Return a POST request with a raw body."""
    return {"url": url, "body": body, "headers": {"Content-Type": content_type}, "timeout": timeout}


def speech(url: str, text: Any, *, timeout: float = 30) -> dict[str, Any]:
    """Return a speech request to a service's URL."""
    return post(
        f"{url}/v1/audio/speech",
        json.dumps({"model": "fastspeech2", "input": text, "response_format": "wav"}),
        timeout=timeout,
    )


def at_host(asked: dict[str, Any], host: str) -> dict[str, Any]:
    """Return the request with a Host header, for a host name that is not in DNS."""
    return asked | {"headers": asked["headers"] | {"Host": host}}


def send_from_outside(asked: dict[str, Any]) -> Answer:
    """Send a request from the machine of the tests, not from a pod."""
    request = urllib.request.Request(asked["url"], (asked["body"] or "").encode() or None, asked["headers"])
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=asked["timeout"]) as answer:
            return Answer(answer.status, answer.headers.get_content_type(), answer.read())
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, answer.headers.get_content_type(), answer.read())
    except OSError as error:
        return Answer(0, "", str(error).encode())


def _pod(image: str, zone: str | None) -> dict[str, Any]:
    container = {
        "name": "python",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", "import signal; signal.signal(signal.SIGTERM, exit); signal.pause()"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the pod
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "nodeSelector": {"topology.kubernetes.io/zone": zone} if zone else {},
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }
