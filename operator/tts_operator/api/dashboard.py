"""`spec.monitoring.dashboard`: a Grafana dashboard of the service."""

from typing import Annotated

from pydantic import Field

from tts_operator.api.schema import ApiModel, Labels

FOLDER_PATTERN = r"^[^/\\.\s][^/\\]*$"
"""The name of a folder, and no path: Grafana's sidecar would write the file wherever a path leads."""
SIDECAR_LABEL = {"grafana_dashboard": "1"}
"""What Grafana's sidecar looks for by default. No default of the API: server-side apply would merge it with others."""


class Dashboard(ApiModel):
    """A ConfigMap with a Grafana dashboard of the service, NAME-dashboard, which Grafana's sidecar loads."""

    enabled: bool = False
    """Whether to create it. The dashboard shows the metrics that a PodMonitor collects. Needs features.dashboards in
    the operator's chart."""
    labels: Labels | None = None
    """Labels by which your sidecar selects ConfigMaps. Default: {grafana_dashboard: "1"}, as the sidecar's own default
    and kube-prometheus-stack's."""
    folder: Annotated[str, Field(max_length=63, pattern=FOLDER_PATTERN)] | None = None
    """Grafana's folder for the dashboard. Needs a sidecar with folderAnnotation: grafana_folder. Default: the sidecar's
    default folder."""
