"""The dashboard of one service."""

from __future__ import annotations

import json

import pytest

from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, UID, service
from tts_operator.api import InvalidSpecError
from tts_operator.desired import children
from tts_operator.json_object import Json


def config_map(**asked: object) -> Json:
    spec = {"monitoring": {"dashboard": {"enabled": True, **asked}}}
    (found,) = (each for each in children(service(spec), DEFAULTS) if each["kind"] == "ConfigMap")
    return found


def test_there_is_none_unless_asked_for() -> None:
    assert "ConfigMap" not in {each["kind"] for each in children(service({}), DEFAULTS)}


def test_the_sidecar_finds_it() -> None:
    metadata = config_map()["metadata"]
    assert metadata["name"] == f"{NAME}-dashboard"
    assert metadata["labels"]["grafana_dashboard"] == "1"
    assert "annotations" not in metadata
    other = config_map(labels={"dashboards": "speech"}, folder="语音")["metadata"]
    assert "grafana_dashboard" not in other["labels"]
    assert other["labels"]["dashboards"] == "speech"
    assert other["annotations"] == {"grafana_folder": "语音"}


def test_it_is_about_this_service() -> None:
    [(file, text)] = config_map()["data"].items()
    assert file == f"{NAMESPACE}.{NAME}.json"
    board = json.loads(text)
    assert board["uid"] == UID
    assert board["title"] == f"TTS / {NAMESPACE}/{NAME}"
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["namespace"]["query"] == NAMESPACE
    assert variables["service"]["query"] == NAME
    assert variables["datasource"]["type"] == "datasource"
    assert len(board["panels"]) > 20


def test_it_takes_little_room() -> None:
    """An operator of 1000 services keeps 1000 of them in memory."""
    assert len(json.dumps(config_map())) < 48_000


@pytest.mark.parametrize("folder", ["/etc", "../x", "a/b", ".hidden", "a\\b", " x", ""])
def test_a_folder_is_no_path(folder: str) -> None:
    with pytest.raises(InvalidSpecError, match=r"monitoring\.dashboard\.folder"):
        config_map(folder=folder)
