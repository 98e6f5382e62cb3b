"""A pod that sends requests as users' programs do: from inside the cluster, by name, through the Service."""

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
"""Reads requests as a list of JSON from standard input, and answers each, in turn, with a line."""
PELT = f"""{SEND}
import os, threading, time

def pelt(settings):
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
"""Sends requests at a steady rate, whether the earlier ones are answered or not, until the file STOP exists."""


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 where nothing did, with the reason as body."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Tally:
    """What became of requests that were sent at a steady rate."""

    sent: int
    failed: list[list[Any]]
    """For each: seconds since the beginning, number, status, body."""


@dataclass
class Load:
    """Requests that are being sent; `tally` is there when the block around it has ended."""

    tally: Tally | None = None


@dataclass(frozen=True)
class Client:
    """The pod."""

    product: Product
    namespace: str

    def start(self, image: str, zone: str | None = None) -> None:
        """Make the pod and wait for it; `image` must have python3, `zone` is where it has to run."""
        pod = json.dumps(_pod(image, zone))
        self.product.kubectl("-n", self.namespace, "apply", "-f", "-", stdin=pod)
        self.product.kubectl(
            "-n", self.namespace, "wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s", timeout=70
        )

    def send(self, *requests: dict[str, Any], timeout: float = 60) -> list[Answer]:
        """Send requests one after another, each on a connection of its own."""
        said = self._python(f"{SEND}\nmain()", stdin=json.dumps(requests), timeout=timeout)
        answers = [json.loads(line) for line in said.splitlines()]
        assert len(answers) == len(requests), said
        return [Answer(status, kind, base64.b64decode(body)) for status, kind, body in answers]

    @contextmanager
    def pelting(self, request: dict[str, Any], *, rate: float, most: int) -> Iterator[Load]:
        """Send a request `rate` times a second while the block runs, `most` times in all; # is the number."""
        settings = {"request": request, "rate": rate, "most": most}
        program = f"{PELT}\npelt(json.load(sys.stdin))"
        load = Load()
        self.product.kubectl("-n", self.namespace, "exec", NAME, "--", "rm", "-f", STOP)
        with ThreadPoolExecutor(max_workers=1) as pool:
            running = pool.submit(self._python, program, stdin=json.dumps(settings), timeout=most / rate + 60)
            try:
                yield load
            finally:
                self.product.kubectl("-n", self.namespace, "exec", NAME, "--", "touch", STOP)
            load.tally = Tally(**json.loads(running.result()))

    def _python(self, program: str, *, stdin: str, timeout: float) -> str:
        return self.product.kubectl(
            "-n", self.namespace, "exec", "-i", NAME, "--", "python3", "-c", program, stdin=stdin, timeout=timeout
        )


def get(url: str, *, timeout: float = 20) -> dict[str, Any]:
    """A GET request."""
    return {"url": url, "body": None, "headers": {}, "timeout": timeout}


def post(url: str, body: str, *, content_type: str = "application/json", timeout: float = 30) -> dict[str, Any]:
    """A POST request with a body as it is."""
    return {"url": url, "body": body, "headers": {"Content-Type": content_type}, "timeout": timeout}


def speech(url: str, text: Any, *, timeout: float = 30) -> dict[str, Any]:
    """A request to a service's URL to speak a text."""
    return post(
        f"{url}/v1/audio/speech",
        json.dumps({"model": "fastspeech2", "input": text, "response_format": "wav"}),
        timeout=timeout,
    )


def at_host(asked: dict[str, Any], host: str) -> dict[str, Any]:
    """The request for a host name that no DNS knows: to the address of its URL, with the name in its header."""
    return asked | {"headers": asked["headers"] | {"Host": host}}


def send_from_outside(asked: dict[str, Any]) -> Answer:
    """Send a request from the machine of the tests, not from a pod; OSError where nothing answers."""
    request = urllib.request.Request(asked["url"], (asked["body"] or "").encode() or None, asked["headers"])
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=asked["timeout"]) as answer:
            return Answer(answer.status, answer.headers.get_content_type(), answer.read())
    except urllib.error.HTTPError as answer:
        return Answer(answer.code, answer.headers.get_content_type(), answer.read())


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
