"""CRDs of other projects: Gateway API, cert-manager, the Prometheus operator, KEDA.

They come from the projects' Go modules, at the versions in go/crds/go.mod.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from devcluster.binaries import GO_MODULES, go_directive, required_version, toolchain
from devcluster.host import shell
from devcluster.progress import Progress

FOLDER = GO_MODULES / "crds"
DOWNLOAD_TIMEOUT = 600.0
BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"
_GATEWAY_API = "sigs.k8s.io/gateway-api"
GATEWAY_API = tuple(
    f"{plural}.gateway.networking.k8s.io"
    for plural in ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants")
)
"""The standard channel of the Gateway API. Its controllers watch all of these kinds."""
OPERATOR_CRDS = (
    "httproutes.gateway.networking.k8s.io",
    "certificates.cert-manager.io",
    "podmonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "scaledobjects.keda.sh",
)
"""The CRDs of which the operator creates objects."""
FILES = {
    **{
        name: (_GATEWAY_API, f"config/crd/standard/gateway.networking.k8s.io_{name.split('.')[0]}.yaml")
        for name in GATEWAY_API
    },
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
    "scaledobjects.keda.sh": ("github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
}
"""The Go module and file of each CRD, by name."""


def definitions(progress: Progress, names: Iterable[str] = OPERATOR_CRDS) -> list[dict[str, Any]]:
    """Return CustomResourceDefinitions by name, downloading those that are not in Go's cache."""
    files = [FILES[name] for name in names]
    folders = module_folders(FOLDER, sorted({module for module, _ in files}), progress)
    return [_read(folders[module] / file) for module, file in files]


def gateway_api_version() -> str:
    """Return the version of the Gateway API's CRDs, which is also the value of their annotation BUNDLE_VERSION."""
    return required_version((FOLDER / "go.mod").read_text(), _GATEWAY_API)


def module_folders(folder: Path, modules: list[str], progress: Progress) -> dict[str, Path]:
    """Return the folder of each module in Go's cache, by module path. The go.mod in `folder` has their versions."""
    go = toolchain(go_directive((folder / "go.mod").read_text()), progress)
    done = shell.run(
        [go, "mod", "download", "-json", *modules],
        cwd=folder,
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
    """Return one CRD. cert-manager's is a Helm template, whose directives occur only in comments and labels."""
    body: dict[str, Any] = yaml.safe_load(file.read_text())
    body["metadata"].pop("labels", None)
    return body
