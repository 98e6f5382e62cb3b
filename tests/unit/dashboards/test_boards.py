"""The dashboards as they are shipped: up to date, well-formed, and complete."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dashboards.__main__ import BOARDS, CHART, files
from dashboards.board import TAG
from dashboards.chinese import CHINESE
from tts_operator.app.metrics import Metrics as OperatorMetrics
from tts_operator.app.metrics import StateCollector
from tts_operator.app.service_metrics import ServiceCollector
from tts_operator.fencing import Fence
from tts_operator.runtime import Store, WorkQueue
from tts_server.observability.backend_metrics import BackendMetrics
from tts_server.observability.metrics import Metrics as ServerMetrics

SHIPPED = sorted(CHART.glob("*.json"))
LARGEST = 60_000
"""Bytes. `kubectl apply` keeps a copy in an annotation, of at most 262144; the operator keeps one for each service."""
NOT_SHOWN = {
    "process_max_fds": "a limit of the process, which nothing of ours comes near",
    "process_open_fds": "sockets of clients, which the requests and WebSockets show",
    "process_start_time_seconds": "restarts of pods, which Kubernetes counts",
    "process_virtual_memory_bytes": "address space, which says nothing about memory in use",
    "python_gc_collections": "for developers",
    "python_gc_objects_collected": "for developers",
    "python_gc_objects_uncollectable": "for developers",
    "tts_operator_rollout_phase_start_time_seconds": "for alerts; panels show the phases themselves over time",
}
"""Metrics that are on no panel, and why."""


def boards() -> list[Any]:
    return [json.loads(path.read_text()) for path in SHIPPED]


def expressions(board: Any) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_what_is_shipped_is_up_to_date(path: Path) -> None:
    assert path.read_text() == files()[path], "run: make generate"


def test_nothing_else_is_shipped() -> None:
    assert {path.stem for path in SHIPPED} == {board.uid for board in BOARDS}


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_it_is_what_grafana_takes(board: Any) -> None:
    assert len(board["uid"]) <= 40
    assert board["tags"] == [TAG]
    assert len(json.dumps(board)) < LARGEST
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        english, chinese = panel["description"].split("\n\n")
        assert english.endswith("."), panel["title"]
        assert chinese.endswith("。"), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"], panel["title"]
        names = [target["refId"] for target in panel["targets"]]
        assert names == sorted(set(names)), panel["title"]


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_no_panel_covers_another(board: Any) -> None:
    for one, other in combinations((panel["gridPos"] for panel in board["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_each_variable_of_a_query_is_one_of_the_dashboard(board: Any) -> None:
    known = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval", "__range"}
    used = {name for text in expressions(board) for name in re.findall(r"\$\{?([a-z_]\w*)", text)}
    assert used <= known


def test_nothing_is_translated_that_is_not_said() -> None:
    said = {
        panel["description"].split("\n\n")[0] for board in boards() for panel in board["panels"] if "targets" in panel
    }
    assert said == CHINESE.keys()


def exported() -> set[str]:
    """The names of all metrics, without the suffixes of their series."""
    server = ServerMetrics()
    server.set_job_waiting_seconds(0)
    BackendMetrics(server.registry, ready=bool, in_flight=int)
    operator = OperatorMetrics()
    fence = Fence(mock.Mock(), pods=[], zones={}, peers=mock.Mock(), leading=bool)
    operator.registry.register(StateCollector(queue=WorkQueue(), services=[], informers=[], leading=bool, fence=fence))
    pods = Store(key_of=lambda _: None)
    operator.registry.register(ServiceCollector(services=[], pods=pods, zones={}, leading=bool))
    return {metric.name for registry in (server.registry, operator.registry) for metric in registry.collect()}


def test_every_metric_is_on_a_panel_or_says_why_not() -> None:
    """A metric that is added gets a panel in `dashboards/`, or a line in NOT_SHOWN."""
    text = "\n".join(expression for board in boards() for expression in expressions(board))
    words = {re.sub(r"_(total|bucket|count|sum|created)$", "", word) for word in re.findall(r"[a-z][a-z_]+", text)}
    names = exported()
    assert {name for name in names if name not in words} == NOT_SHOWN.keys()


def test_panels_ask_for_what_is_exported() -> None:
    suffixes = ("", "_total", "_bucket", "_count", "_sum")
    known = {name + suffix for name in exported() for suffix in suffixes}
    asked = {
        word
        for board in boards()
        for expression in expressions(board)
        for word in re.findall(r"\b(?:tts|process|kube|python)_[a-z_]+", expression)
    }
    assert asked <= known
