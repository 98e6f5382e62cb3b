"""The ConfigMap with a service's Grafana dashboard.

dashboard.json, the dashboard of any service, is written by `make generate` from the code in `dashboards/`. Here it is
bound to one service. Source: https://github.com/grafana/helm-charts/tree/main/charts/grafana#sidecar-for-dashboards
"""

from importlib.resources import files

import msgspec

from tts_operator.api import TTSService
from tts_operator.api.dashboard import SIDECAR_LABEL
from tts_operator.desired.identity import manifest
from tts_operator.json_object import Json

FOLDER_ANNOTATION = "grafana_folder"
_ANY_SERVICE: Json = msgspec.json.decode((files("tts_operator.desired") / "dashboard.json").read_bytes())
_SORTED = msgspec.json.Encoder(order="sorted")


def dashboard_name(service: TTSService) -> str:
    """The name of the ConfigMap."""
    return f"{service.name}-dashboard"


def dashboard(service: TTSService) -> Json:
    """The ConfigMap. Its file is named so that those of all namespaces fit into the sidecar's one folder."""
    asked = service.spec.monitoring.dashboard
    return manifest(
        service,
        "v1",
        "ConfigMap",
        name=dashboard_name(service),
        labels=SIDECAR_LABEL if asked.labels is None else asked.labels,
        annotations={FOLDER_ANNOTATION: asked.folder} if asked.folder else None,
        data={f"{service.namespace}.{service.name}.json": _SORTED.encode(_of(service)).decode()},
    )


def _of(service: TTSService) -> Json:
    """The dashboard with the service as the value of its variables, in one line: a quarter of it would be spaces."""
    bound = {"namespace": service.namespace, "service": service.name}
    variables = [
        _constant(variable["name"], bound[variable["name"]]) if variable["name"] in bound else variable
        for variable in _ANY_SERVICE["templating"]["list"]
    ]
    return {
        **_ANY_SERVICE,
        "uid": service.uid,  # which no other dashboard of a Grafana for several clusters has
        "title": f"TTS / {service.namespace}/{service.name}",
        "templating": {"list": variables},
    }


def _constant(name: str, value: str) -> Json:
    return {
        "name": name,
        "type": "constant",
        "hide": 2,
        "query": value,
        "current": {"selected": False, "text": value, "value": value},
        "skipUrlSync": True,
    }
