"""Reads from the API server without a process for each: waits look often, and kubectl takes a tenth of a second."""

from __future__ import annotations

import re
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from devcluster.product import Product

PATHS = {
    "tts": "apis/tts-operator.io/v1alpha1/namespaces/{namespace}/ttsservices",
    "deployment": "apis/apps/v1/namespaces/{namespace}/deployments",
    "pods": "api/v1/namespaces/{namespace}/pods",
    "service": "api/v1/namespaces/{namespace}/services",
}
UNTIL_WE_END = '"$@" & read -r _; kill $!'
"""A shell's words: run a program until standard input is closed, which it also is when the tests are killed."""
NOT_FOUND = 404
PATIENCE = 30.0
"""Seconds, for the proxy to begin, to end, and for each answer."""
Json = dict[str, Any]


class Proxy:
    """A `kubectl proxy`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, namespace: str, kind: str, name: str = "", *, selector: str = "") -> Json:
        """An object, empty where there is none; without a name a list. `kind` is one of PATHS."""
        path = PATHS[kind].format(namespace=namespace)
        parameters = {"labelSelector": selector} if selector else {}
        answer = requests.get(f"{self._url}/{path}/{name}".rstrip("/"), parameters, timeout=PATIENCE)
        if name and answer.status_code == NOT_FOUND:
            return {}
        assert answer.ok, answer.text
        body: Json = answer.json()
        return body


@contextmanager
def proxy(product: Product) -> Iterator[Proxy]:
    """Run one while the block does."""
    command = ["sh", "-c", UNTIL_WE_END, "proxy", *product.kubectl_command("proxy", "--port=0")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            begun, _, _ = select.select([process.stdout], [], [], PATIENCE)
            said = process.stdout.readline() if begun else "nothing"
            found = re.search(r"127\.0\.0\.1:\d+", said)
            assert found, f"kubectl proxy says: {said}"
            yield Proxy(f"http://{found[0]}")
        finally:
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
