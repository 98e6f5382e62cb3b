"""How a recording rule and an alert are written for Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tts_operator.api import TTSService
from tts_operator.json_object import Json

LEVEL = "namespace_service"
"""The first part of recorded names: the labels that their series have.

Source: https://prometheus.io/docs/practices/rules/
"""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert of one service."""

    name: str
    expression: str
    minutes: int = 0
    """How long the expression must hold before the alert fires."""
    severity: Literal["critical", "warning"]
    """critical: clients notice it now, and somebody has to act now. warning: somebody has to act on a working day."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """More labels, by which alerts of one name differ."""
    summary: str
    description: str

    def rule(self, service: TTSService, runbooks: str) -> Json:
        """The rule. `runbooks` is the address of a runbook, with {alert} for the alert's name; empty if unknown."""
        return {
            "alert": self.name,
            "expr": self.expression,
            **({"for": f"{self.minutes}m"} if self.minutes else {}),
            "labels": {"severity": self.severity, **_identity(service), **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                **_runbook(self.name, runbooks),
            },
        }


def records(service: TTSService, expressions: Mapping[str, str]) -> list[Json]:
    """Recording rules, by the part of their names after the level."""
    return [
        {"record": f"{LEVEL}:{name}", "expr": expression, "labels": _identity(service)}
        for name, expression in expressions.items()
    ]


def series(service: TTSService, name: str) -> str:
    """The selector of what was recorded under this name."""
    labels = ",".join(f'{label}="{value}"' for label, value in _identity(service).items())
    return f"{LEVEL}:{name}{{{labels}}}"


def _runbook(alert: str, address: str) -> dict[str, str]:
    """The annotation that leads to the runbook. Its place in the repository is better than a link to nowhere."""
    if address:
        return {"runbook_url": address.replace("{alert}", alert)}
    return {"runbook": f"docs/runbooks/{alert}.md in the repository of tts-operator"}


def _identity(service: TTSService) -> dict[str, str]:
    """The labels of the service. AlertmanagerConfigs select by the label `namespace`."""
    return {"namespace": service.namespace, "service": service.name}
