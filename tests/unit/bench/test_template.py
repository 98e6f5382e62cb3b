"""On objects that a real API server wrote."""

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from bench.cluster.namespace import BenchError
from bench.operator.template import PROBE, Template, applied
from tts_operator.kube.resources import DEPLOYMENTS

LIVE = Path(__file__).parents[1] / "operator" / "live"


def _live(name: str) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads((LIVE / f"{name}.json").read_bytes())
    return body


@pytest.mark.parametrize("name", ["untouched", "sidecar_injected", "env_added", "label_added"])
def test_what_the_operator_applied_is_found_again(name: str) -> None:
    wanted = yaml.safe_load((LIVE / "desired.yaml").read_text())
    pod = wanted["spec"]["template"]["spec"]  # the API server writes quantities in its own way
    pod["containers"][0]["resources"] = {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"cpu": "2", "memory": "4Gi"},
    }
    pod["volumes"][0]["emptyDir"]["sizeLimit"] = "1Gi"
    assert applied(DEPLOYMENTS, _live(name)) == wanted


def test_what_the_operator_has_not_applied_is_an_error() -> None:
    with pytest.raises(BenchError, match="not applied by the operator"):
        applied(DEPLOYMENTS, _live("records_wiped"))


def test_a_template_renames_the_service_wherever_it_stands() -> None:
    body = {"metadata": {"name": f"{PROBE}-1f", "namespace": "there"}, "spec": {"selector": {"instance": PROBE}}}
    owner = {"kind": "ConfigMap", "uid": "1"}
    [(resource, manifest)] = Template("there", [(DEPLOYMENTS, body)]).of("voice-1", "here", owner)
    assert resource == DEPLOYMENTS
    assert manifest == {
        "metadata": {"name": "voice-1-1f", "namespace": "here", "ownerReferences": [owner]},
        "spec": {"selector": {"instance": "voice-1"}},
    }
