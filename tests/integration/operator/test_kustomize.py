"""integrations/kustomize: what `kubectl kustomize` makes of it, and that a real API server accepts it."""

from __future__ import annotations

import pytest
import yaml

from devcluster.product import ROOT, Product
from tts_operator.json_object import Json

FOLDER = ROOT / "integrations/kustomize"


def built(product: Product, folder: str) -> list[Json]:
    return list(yaml.safe_load_all(product.kubectl("kustomize", str(FOLDER / folder))))


def by_name(manifests: list[Json]) -> dict[tuple[str, str], Json]:
    return {(body["kind"], body["metadata"]["name"]): body for body in manifests}


def test_the_base_is_install_yaml(installed: Product) -> None:
    base = by_name(built(installed, "base"))
    install = by_name([body for body in yaml.safe_load_all((ROOT / "install.yaml").read_text()) if body])
    for each in (base, install):  # the chart labels the CRD
        crd = each["CustomResourceDefinition", "ttsservices.tts-operator.io"]
        crd["metadata"] = {"name": crd["metadata"]["name"]}
    assert base == install


def test_images_from_a_registry(installed: Product) -> None:
    base, changed = (by_name(built(installed, each)) for each in ("base", "examples/registry"))
    assert base.keys() == changed.keys()
    assert [key for key in base if base[key] != changed[key]] == [("Deployment", "tts-operator")]
    pod = changed["Deployment", "tts-operator"]["spec"]["template"]["spec"]
    image = base["Deployment", "tts-operator"]["spec"]["template"]["spec"]["containers"][0]["image"]
    container = pod["containers"][0]
    assert container["image"] == image.replace("ghcr.io", "registry.example.com")
    server = next(each["value"] for each in container["env"] if each["name"] == "TTS_OPERATOR_SERVER_IMAGE")
    assert server == container["image"].replace("tts-operator:", "tts-server:")
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_a_service_in_two_stages(installed: Product, stage: str) -> None:
    (service,) = built(installed, f"examples/services/{stage}")
    service["metadata"]["namespace"] = "default"
    said = installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(service))
    assert "ttsservice.tts-operator.io/narrator created" in said
