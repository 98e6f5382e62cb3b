"""The CRDs of what others install beside us: Gateway API, cert-manager, the Prometheus operator.

As their projects ship them, from their Go modules at the versions of go/crds/go.mod.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from devcluster import shell
from devcluster.binaries import GO_MODULES, go_directive, toolchain
from devcluster.progress import Progress

FOLDER = GO_MODULES / "crds"
DOWNLOAD_TIMEOUT = 600.0
FILES = {
    "httproutes.gateway.networking.k8s.io": (
        "sigs.k8s.io/gateway-api",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "certificates.cert-manager.io": (
        "github.com/cert-manager/cert-manager",
        "deploy/crds/crd-certificates.yaml",
    ),
    "podmonitors.monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
    "prometheusrules.monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}
"""Module and file of each CRD, by its name."""


def definitions(progress: Progress) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions, downloaded where they are not in Go's cache yet."""
    folders = _folders(progress)
    return [_read(folders[module] / file) for module, file in FILES.values()]


def _folders(progress: Progress) -> dict[str, Path]:
    """Where Go keeps each module."""
    go = toolchain(go_directive((FOLDER / "go.mod").read_text()), progress)
    modules = sorted({module for module, _ in FILES.values()})
    done = shell.run(
        [go, "mod", "download", "-json", *modules],
        cwd=FOLDER,
        timeout=DOWNLOAD_TIMEOUT,
        env={"GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local"},
    )
    decoder, folders, text = json.JSONDecoder(), {}, done.stdout.strip()
    while text:
        module, end = decoder.raw_decode(text)
        folders[module["Path"]] = Path(module["Dir"])
        text = text[end:].lstrip()
    return folders


def _read(file: Path) -> dict[str, Any]:
    """One CRD. cert-manager's is a Helm template: its directives are comments, and labels that nobody needs."""
    body: dict[str, Any] = yaml.safe_load(file.read_text())
    body["metadata"].pop("labels", None)
    return body
