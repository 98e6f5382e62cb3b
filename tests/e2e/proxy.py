"""Reads through `kubectl proxy`: tests poll often, and a kubectl process per read would take 0.1 s."""

from __future__ import annotations

import contextlib
import json
import re
import select
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from devcluster.product import Product
from tts_operator.json_object import Json

PATHS = {
    "tts": "apis/tts-operator.io/v1alpha1/namespaces/{namespace}/ttsservices",
    "deployment": "apis/apps/v1/namespaces/{namespace}/deployments",
    "pods": "api/v1/namespaces/{namespace}/pods",
    "service": "api/v1/namespaces/{namespace}/services",
}
RUN_UNTIL_STDIN_CLOSES = '"$@" & read -r _; kill $!'
"""A shell command: run a program until stdin closes, which also happens if the tests are killed."""
NOT_FOUND = 404
TIMEOUT_SECONDS = 30.0
"""For the start and the end of the proxy, and for each response."""
WATCH_SECONDS = 2.0
"""How long a watch waits for a change before it looks whether it is over."""


class Proxy:
    """A running `kubectl proxy`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, namespace: str, kind: str, name: str = "", *, selector: str = "") -> Json:
        """Return an object, or {} if it does not exist; without a name, a list. `kind` is a key of PATHS."""
        path = PATHS[kind].format(namespace=namespace)
        parameters = {"labelSelector": selector} if selector else {}
        answer = requests.get(f"{self._url}/{path}/{name}".rstrip("/"), parameters, timeout=TIMEOUT_SECONDS)
        if name and answer.status_code == NOT_FOUND:
            return {}
        assert answer.ok, answer.text
        body: Json = answer.json()
        return body

    def watch(self, namespace: str, kind: str, *, selector: str, over: threading.Event) -> Iterator[tuple[str, Json]]:
        """Yield all objects, then each change, until `over`: ADDED, MODIFIED, or DELETED, and the object."""
        url = f"{self._url}/{PATHS[kind].format(namespace=namespace)}"
        listed = requests.get(url, {"labelSelector": selector}, timeout=TIMEOUT_SECONDS).json()
        yield from (("ADDED", each) for each in listed["items"])
        version = listed["metadata"]["resourceVersion"]
        while not over.is_set():
            asked = {"labelSelector": selector, "watch": "true", "resourceVersion": version}
            # Where nothing changes for a while, a read times out, and the watch goes on from the last change.
            with (
                contextlib.suppress(requests.ConnectionError, requests.Timeout),
                requests.get(url, asked, stream=True, timeout=(TIMEOUT_SECONDS, WATCH_SECONDS)) as answer,
            ):
                for line in answer.iter_lines(chunk_size=None):
                    change = json.loads(line)
                    assert change["type"] != "ERROR", change
                    version = change["object"]["metadata"]["resourceVersion"]
                    yield change["type"], change["object"]

    def log(self, namespace: str, pod: str) -> Iterator[str]:
        """Yield the lines of a pod's log until its container ends, or the connection does."""
        url = f"{self._url}/{PATHS['pods'].format(namespace=namespace)}/{pod}/log"
        with (
            contextlib.suppress(requests.RequestException),
            requests.get(url, {"follow": "true"}, stream=True, timeout=(TIMEOUT_SECONDS, None)) as answer,
        ):
            assert answer.ok, answer.text
            for line in answer.iter_lines(chunk_size=None):
                yield line.decode()


@contextmanager
def proxy(product: Product) -> Iterator[Proxy]:
    """Run `kubectl proxy` while the block runs."""
    command = ["sh", "-c", RUN_UNTIL_STDIN_CLOSES, "proxy", *product.kubectl_command("proxy", "--port=0")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            begun, _, _ = select.select([process.stdout], [], [], TIMEOUT_SECONDS)
            said = process.stdout.readline() if begun else "nothing"
            found = re.search(r"127\.0\.0\.1:\d+", said)
            assert found, f"unexpected output of kubectl proxy: {said}"
            yield Proxy(f"http://{found[0]}")
        finally:
            process.stdin.close()
            try:
                process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
