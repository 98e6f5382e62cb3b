"""One namespace of a cluster with real nodes, and what a test sees and does in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devcluster.product import NAMESPACE as OPERATOR_NAMESPACE
from devcluster.product import Product
from tests.e2e.client import NAME, Answer, Client, speech
from tests.e2e.proxy import PATHS, Proxy

ZONE_LABEL = "topology.kubernetes.io/zone"
PAUSE = 0.1
"""Seconds between two looks."""
LEFTOVERS = "serviceaccounts,services,endpointslices,poddisruptionbudgets,deployments,replicasets,pods"
SMALL = {"requests": {"cpu": "100m", "memory": "256Mi"}}
"""Resources with which several services find room on the two CPUs of a small machine."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A namespace, and a pod in it to send requests from."""

    product: Product
    name: str
    client: Client
    proxy: Proxy

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 60, check: bool = True) -> str:
        """Run kubectl in the namespace."""
        return self.product.kubectl("-n", self.name, *arguments, stdin=stdin, timeout=timeout, check=check)

    def leave(self) -> None:
        """Delete the namespace, without waiting for its end."""
        self.product.kubectl("delete", "namespace", self.name, "--wait=false")

    def get(self, *what: str) -> Json:
        """An object, empty where there is none; or a list: of a kind, or of those with labels after `-l`."""
        if what[0] in PATHS:
            kind, *rest = what
            selector = {"selector": rest[1]} if rest[:1] == ["-l"] else {}
            return self.proxy.get(self.name, kind, "" if selector else "".join(rest), **selector)
        said = self.kubectl("get", "--ignore-not-found", "-o", "json", *what)
        body: Json = json.loads(said or "{}")
        return body

    def apply(self, name: str, **spec: Any) -> None:
        """Apply a TTSService of this spec, small where it does not say otherwise."""
        self.apply_manifest(
            {
                "apiVersion": "tts-operator.io/v1alpha1",
                "kind": "TTSService",
                "metadata": {"name": name},
                "spec": {"resources": SMALL, **spec},
            }
        )

    def apply_manifest(self, body: Json) -> None:
        """Apply an object."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def ready(self, name: str, *, seconds: int = 90) -> None:
        """Wait until a TTSService is Ready at its present generation."""
        self.kubectl("wait", "--for=condition=Ready", f"tts/{name}", f"--timeout={seconds}s", timeout=seconds + 10)

    def serving(self, name: str, *, seconds: int = 90) -> None:
        """Wait until a TTSService is Ready and speaks: kube-proxy hears of ready pods a moment after its status."""
        self.ready(name, seconds=seconds)
        until(f"{name} speaks", lambda: self.speaks(name), 20)

    def status(self, name: str) -> Json:
        """The status of a TTSService; empty before there is one."""
        status: Json = self.get("tts", name).get("status", {})
        return status

    def condition(self, name: str, kind: str = "Ready") -> Json:
        """One condition of a TTSService, of its present generation; empty where it is not told."""
        body = self.get("tts", name)
        status = body.get("status", {})
        if status.get("observedGeneration") != body.get("metadata", {}).get("generation"):
            return {}
        return next((each for each in status["conditions"] if each["type"] == kind), {})

    def pods(self, service: str) -> list[Json]:
        """The pods of a TTSService that are not on their way out."""
        items = self.get("pods", "-l", f"app.kubernetes.io/instance={service}")["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def url(self, service: str) -> str:
        """Where programs in the cluster reach a TTSService, as its status says."""
        url: str = self.status(service)["url"]
        return url

    def speak(self, service: str, text: str = "您好") -> Answer:
        """What the service answers to a text."""
        return self.client.send(speech(self.url(service), text))[0]

    def speaks(self, service: str) -> bool:
        """Whether the service answers a text with sound."""
        answer = self.speak(service)
        return answer.status == 200 and answer.content_type == "audio/wav"

    def leftovers(self) -> list[str]:
        """Everything here that a TTSService may have brought; what belongs to the namespace itself is left out."""
        items = self.get(LEFTOVERS)["items"]
        names = {f"{item['kind']}/{item['metadata']['name']}" for item in items}
        return sorted(names - {"ServiceAccount/default", f"Pod/{NAME}"})


def zones(product: Product) -> dict[str, str]:
    """The zone of each node."""
    nodes = json.loads(product.kubectl("get", "nodes", "-o", "json"))["items"]
    return {node["metadata"]["name"]: node["metadata"]["labels"].get(ZONE_LABEL, "") for node in nodes}


def operator_pods(product: Product) -> list[Json]:
    """The operator's pods, also those that end."""
    said = product.kubectl("-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "json")
    items: list[Json] = json.loads(said)["items"]
    return items


def until(what: str, check: Callable[[], bool], seconds: float, *, otherwise: Callable[[], Any] | None = None) -> None:
    """Wait until a condition holds. Fails after so many seconds, saying what was waited for, and what is instead."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}" + (
            f"; but {otherwise()}" if otherwise else ""
        )
        time.sleep(PAUSE)
