"""The targets of Prometheus in a cluster. Debian's Prometheus cannot ask Kubernetes for them, so it asks us."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from devcluster import binaries
from tts_operator.json_object import Json

LABEL = "app.kubernetes.io"
OPERATOR = "tts-operator"


@contextmanager
def pods_as_targets(kubeconfig: Path) -> Iterator[dict[str, Any]]:
    """Tell the pods of a cluster to whoever asks. Yields Prometheus' configuration of the job that scrapes them."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = json.dumps(targets(_pods(kubeconfig))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        try:
            yield {
                "job_name": "pods",
                "honor_labels": True,
                "http_sd_configs": [{"url": url, "refresh_interval": "2s"}],
            }
        finally:
            server.shutdown()


def targets(pods: Iterable[Json]) -> list[Json]:
    """The servers with the labels that a PodMonitor gives them, and the operator."""
    return [
        {
            "targets": [f"{pod['status']['podIP']}:{port['containerPort']}"],
            "labels": {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"], "job": _job(pod)},
        }
        for pod in pods
        if pod["status"].get("podIP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        if port.get("name") == "http"
    ]


def _job(pod: Json) -> str:
    labels = pod["metadata"]["labels"]
    if labels[f"{LABEL}/name"] == OPERATOR:
        return "operator"
    return f"{pod['metadata']['namespace']}/{labels[f'{LABEL}/instance']}"


def _pods(kubeconfig: Path) -> list[Json]:
    words = ["get", "pods", "-A", "-l", f"{LABEL}/name", "-o", "json"]
    command = [str(binaries.path_of("kubectl")), f"--kubeconfig={kubeconfig}", *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    found: list[Json] = json.loads(said)["items"]
    return found
