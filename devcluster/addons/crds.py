"""CRDs of other projects: Gateway API, cert-manager, the Prometheus operator, KEDA, Argo CD, Flux.

They come from the projects' Go modules, at the versions in go/crds/go.mod.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from devcluster.binaries import GO_MODULES, required_version, sources
from devcluster.progress import Progress

FOLDER = GO_MODULES / "crds"
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
FLUX = (
    "kustomizations.kustomize.toolkit.fluxcd.io",
    *(
        f"{plural}.source.toolkit.fluxcd.io"
        for plural in (
            "buckets",
            "externalartifacts",
            "gitrepositories",
            "helmcharts",
            "helmrepositories",
            "ocirepositories",
        )
    ),
)
"""Flux' controllers for sources and Kustomizations watch all of these kinds."""
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
    "servicemonitors.monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "prometheusrules.monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    **{
        f"{kind}s.argoproj.io": ("github.com/argoproj/argo-cd/v3", f"manifests/crds/{kind}-crd.yaml")
        for kind in ("application", "applicationset", "appproject")
    },
    "kustomizations.kustomize.toolkit.fluxcd.io": (
        "github.com/fluxcd/kustomize-controller",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    **{
        name: (
            "github.com/fluxcd/source-controller",
            f"config/crd/bases/source.toolkit.fluxcd.io_{name.split('.')[0]}.yaml",
        )
        for name in FLUX[1:]
    },
    "scaledobjects.keda.sh": ("github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
}
"""The Go module and file of each CRD, by name."""


def definitions(progress: Progress, names: Iterable[str] = OPERATOR_CRDS) -> list[dict[str, Any]]:
    """Return CustomResourceDefinitions by name, downloading those that are not in Go's cache."""
    files = [FILES[name] for name in names]
    folders = sources(FOLDER, sorted({module for module, _ in files}), progress)
    return [_read(folders[module] / file) for module, file in files]


def gateway_api_version() -> str:
    """Return the version of the Gateway API's CRDs, which is also the value of their annotation BUNDLE_VERSION."""
    return required_version((FOLDER / "go.mod").read_text(), _GATEWAY_API)


def _read(file: Path) -> dict[str, Any]:
    """Return one CRD. cert-manager's is a Helm template, whose directives occur only in comments and labels."""
    body: dict[str, Any] = yaml.safe_load(file.read_text())
    body["metadata"].pop("labels", None)
    return body
