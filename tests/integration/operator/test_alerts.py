"""The alerts of a PrometheusRule, evaluated by Debian's promtool over series like those of the server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.progress import Progress
from tests.unit.operator.worlds import DEFAULTS, service
from tts_operator.desired import children
from tts_operator.json_object import Json

JOB = "speech/narrator"
SPEC: Json = {
    "monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "jobs": {"storage": {"persistentVolumeClaim": {}}, "kafka": {"bootstrapServers": ["kafka:9092"]}},
}
HEALTHY = {
    f'tts_model_ready{{job="{JOB}",pod="a"}}': "1x60",
    f'tts_lexicon_last_reload_successful{{job="{JOB}",pod="a"}}': "1x60",
}
"""Series by name, each a value for every 30 s, in promtool's notation."""


def requests(**per_status: int) -> dict[str, str]:
    """The counters of a pod that answers so many speech requests with each status, every 30 s."""
    labels = f'job="{JOB}",pod="a",endpoint="/v1/audio/speech"'
    return {
        f'tts_requests_total{{{labels},status="{status.removeprefix("s")}"}}': f"0+{count}x60"
        for status, count in per_status.items()
    }


def durations(*, within: int, beyond: int) -> dict[str, str]:
    """The histogram of a pod: requests that take at most a second, and others, every 30 s."""
    name = f'tts_request_duration_seconds_bucket{{job="{JOB}",pod="a",endpoint="/v1/audio/speech"'
    both = within + beyond
    return {
        f'{name},le="1"}}': f"0+{within}x60",
        f'{name},le="5"}}': f"0+{both}x60",
        f'{name},le="+Inf"}}': f"0+{both}x60",
    }


def lexicon(pod: str, values: str, job: str = JOB) -> dict[str, str]:
    return {f'tts_lexicon_last_reload_successful{{job="{job}",pod="{pod}"}}': values}


def failures(values: str, job: str = f"{JOB}-worker") -> dict[str, str]:
    """The counter of a worker whose storage fails."""
    return {f'tts_job_storage_failures_total{{job="{job}",pod="w"}}': values}


def rule() -> Json:
    (found,) = (each for each in children(service(SPEC), DEFAULTS) if each["kind"] == "PrometheusRule")
    spec: Json = found["spec"]
    return spec


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    debian.ensure([Requirement("promtool", "prometheus")], Progress())


def check(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule()))
    check(tmp_path, "check", "rules", "rules.yaml")


@pytest.mark.parametrize(
    "series, firing",
    [
        pytest.param({}, set(), id="healthy"),
        pytest.param({f'tts_model_ready{{job="{JOB}",pod="a"}}': "0x60"}, {"TTSServiceDown"}, id="no model is loaded"),
        pytest.param(requests(s200=199, s500=1), set(), id="0.5 % errors"),
        pytest.param(requests(s200=97, s500=3), {"TTSServiceErrors"}, id="3 % errors"),
        pytest.param(requests(s200=97, s503=3), set(), id="3 % refused"),
        pytest.param(requests(s200=90, s503=10), {"TTSServiceOverloaded"}, id="10 % refused"),
        pytest.param(durations(within=1000, beyond=1), set(), id="one in a thousand takes long"),
        pytest.param(durations(within=90, beyond=10), {"TTSServiceSlow"}, id="one in ten takes long"),
        pytest.param(lexicon("b", "0x60"), {"TTSServiceLexiconReloadFailed"}, id="one pod has a wrong lexicon"),
        pytest.param(lexicon("b", "1x55 0x4"), set(), id="a wrong lexicon for two minutes"),
        pytest.param(lexicon("b", "0x55 1x4"), set(), id="a lexicon that was corrected"),
        pytest.param(failures("0+1x60"), {"TTSServiceJobsWaiting"}, id="the storage of jobs fails"),
        pytest.param(failures("0+1x30 30x30"), set(), id="a storage that is back"),
        pytest.param(failures("0x60"), set(), id="a storage that works"),
        pytest.param(failures("0+1x60", job="speech/other-worker"), set(), id="another service's storage"),
        pytest.param(
            {
                f'tts_model_ready{{job="{JOB}",pod="a"}}': "0x60",
                f'tts_model_ready{{job="{JOB}-worker",pod="w"}}': "1x60",
            },
            {"TTSServiceDown"},
            id="only a worker has loaded the model",
        ),
        pytest.param(lexicon("b", "0x60", job="speech/other"), set(), id="another service's lexicon"),
    ],
)
def test_what_fires_after_half_an_hour(tmp_path: Path, series: dict[str, str], firing: set[str]) -> None:
    alerts = rule()["groups"][0]["rules"]
    assert firing <= {each["alert"] for each in alerts}
    test = {
        "interval": "30s",
        "input_series": [{"series": name, "values": values} for name, values in {**HEALTHY, **series}.items()],
        "alert_rule_test": [
            {
                "eval_time": "30m",
                "alertname": each["alert"],
                "exp_alerts": [{"exp_labels": each["labels"], "exp_annotations": each["annotations"]}]
                if each["alert"] in firing
                else [],
            }
            for each in alerts
        ],
    }
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule()))
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    check(tmp_path, "test", "rules", "test.yaml")
