"""A namespace in a cluster with real nodes, and the requests of a test in it."""

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
from tts_operator.json_object import Json

ZONE_LABEL = "topology.kubernetes.io/zone"
PAUSE = 0.1
"""Seconds between two checks."""
LEFTOVERS = "serviceaccounts,services,endpointslices,poddisruptionbudgets,deployments,replicasets,pods"
SMALL = {"requests": {"cpu": "100m", "memory": "256Mi"}}
"""Resource requests that let several services fit on a machine with two CPUs."""


@dataclass(frozen=True)
class Namespace:
    """A namespace with a client pod."""

    product: Product
    name: str
    client: Client
    proxy: Proxy

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 60, check: bool = True) -> str:
        """Run kubectl in the namespace."""
        return self.product.kubectl("-n", self.name, *arguments, stdin=stdin, timeout=timeout, check=check)

    def delete(self) -> None:
        """Delete the namespace, without waiting."""
        self.product.kubectl("delete", "namespace", self.name, "--wait=false")

    def get(self, *what: str) -> Json:
        """Return an object, or {} if it does not exist. Without a name, return a list; `-l` selects by labels."""
        if what[0] in PATHS:
            kind, *rest = what
            selector = {"selector": rest[1]} if rest[:1] == ["-l"] else {}
            return self.proxy.get(self.name, kind, "" if selector else "".join(rest), **selector)
        said = self.kubectl("get", "--ignore-not-found", "-o", "json", *what)
        body: Json = json.loads(said or "{}")
        return body

    def apply(self, name: str, **spec: Any) -> None:
        """Apply a TTSService. Its resources default to SMALL."""
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

    def wait_until_ready(self, name: str, *, seconds: int = 90) -> None:
        """Wait until a TTSService is Ready at its current generation."""
        self.kubectl("wait", "--for=condition=Ready", f"tts/{name}", f"--timeout={seconds}s", timeout=seconds + 10)

    def wait_until_serving(self, name: str, *, seconds: int = 90) -> None:
        """Wait until a TTSService is Ready and responds with speech: kube-proxy lags behind its status."""
        self.wait_until_ready(name, seconds=seconds)
        until(f"{name} to respond with speech", lambda: self.speaks(name), 60)

    def status(self, name: str) -> Json:
        """Return the status of a TTSService, or {} if it has none yet."""
        status: Json = self.get("tts", name).get("status", {})
        return status

    def condition(self, name: str, kind: str = "Ready") -> Json:
        """Return a condition of a TTSService at its current generation, or {} if it is not set."""
        body = self.get("tts", name)
        status = body.get("status", {})
        if status.get("observedGeneration") != body.get("metadata", {}).get("generation"):
            return {}
        return next((each for each in status["conditions"] if each["type"] == kind), {})

    def pods(self, service: str) -> list[Json]:
        """Return the pods of a TTSService that are not terminating."""
        items = self.get("pods", "-l", f"app.kubernetes.io/instance={service}")["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def url(self, service: str) -> str:
        """Return the URL of a TTSService in the cluster, from its status."""
        url: str = self.status(service)["url"]
        return url

    def speak(self, service: str, text: str = "您好") -> Answer:
        """Request a text from a service, and return the response."""
        return self.client.send(speech(self.url(service), text))[0]

    def speaks(self, service: str) -> bool:
        """Whether the service responds to a text with audio."""
        answer = self.speak(service)
        return answer.status == 200 and answer.content_type == "audio/wav"

    def leftovers(self) -> list[str]:
        """Return all objects in the namespace that may belong to a TTSService."""
        items = self.get(LEFTOVERS)["items"]
        names = {f"{item['kind']}/{item['metadata']['name']}" for item in items}
        return sorted(names - {"ServiceAccount/default", f"Pod/{NAME}"})


def zones(product: Product) -> dict[str, str]:
    """Return the zone of each node, by name."""
    nodes = json.loads(product.kubectl("get", "nodes", "-o", "json"))["items"]
    return {node["metadata"]["name"]: node["metadata"]["labels"].get(ZONE_LABEL, "") for node in nodes}


def operator_pods(product: Product) -> list[Json]:
    """Return the operator's pods, including terminating ones."""
    said = product.kubectl("-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "json")
    items: list[Json] = json.loads(said)["items"]
    return items


def until(what: str, check: Callable[[], bool], seconds: float, *, otherwise: Callable[[], Any] | None = None) -> None:
    """Wait until a condition holds. Fails after `seconds`, with `what` and the result of `otherwise`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"timed out after {seconds:.0f} s: {what}" + (
            f"; instead: {otherwise()}" if otherwise else ""
        )
        time.sleep(PAUSE)
