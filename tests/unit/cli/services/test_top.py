"""`kubectl tts top`."""

from __future__ import annotations

import json
import math

import pytest

from tests.unit.cli.recorded import failing, ran, recorded
from tests.unit.cli.services_in_states import body
from tts_operator.cli.services.metrics import Use, parsed, quantile, use
from tts_operator.cli.services.top import BACKENDS, Pod, Prices, cost, table
from tts_operator.json_object import Json

SCRAPE = """\
# HELP tts_requests_total Requests answered.
# TYPE tts_requests_total counter
tts_requests_total{{endpoint="/v1/audio/speech",status="200"}} {ok}
tts_requests_total{{endpoint="/v1/audio/speech",status="500"}} {failed}
tts_requests_total{{endpoint="/v1/audio/speech",status="503"}} {busy}
tts_requests_total{{endpoint="/ready",status="200"}} 1e6
tts_request_duration_seconds_bucket{{endpoint="/v1/audio/speech",le="0.5"}} {ok}
tts_request_duration_seconds_bucket{{endpoint="/v1/audio/speech",le="1.0"}} {ok}
tts_request_duration_seconds_bucket{{endpoint="/v1/audio/speech",le="+Inf"}} {ok}
tts_synthesis_seconds_total {synthesis}
tts_audio_seconds_total {audio}
tts_cache_events_total{{event="hit"}} {ok}
tts_cache_events_total{{event="coalesced"}} 0.0
tts_cache_events_total{{event="miss"}} {ok}
tts_queue_depth 3.0
tts_queue_seconds 1.5
process_cpu_seconds_total {synthesis}
process_resident_memory_bytes 1.5e+09
broken{{ 1
tts_nan NaN
"""


def scrape(ok: float = 0, failed: float = 0, busy: float = 0, synthesis: float = 0, audio: float = 0) -> str:
    return SCRAPE.format(ok=ok, failed=failed, busy=busy, synthesis=synthesis, audio=audio)


def test_what_happened_between_two_scrapes() -> None:
    pair = parsed(scrape(100, 1, 2, 50, 500)), parsed(scrape(120, 3, 3, 60, 600))
    found = use([pair, pair], 10.0)
    assert found == Use(
        pods=2, requests=4.6, errors=0.4, busy=0.2, p99=0.495, synthesis=2.0, audio=20.0, hits=4.0, misses=4.0,
        queue=6.0, queue_seconds=1.5, cpu=2.0, memory=3e9,
    )  # fmt: skip
    assert (found.real_time_factor, found.hit_rate) == (0.1, 0.5)


def test_a_server_that_has_restarted_counts_from_zero() -> None:
    assert use([(parsed(scrape(100)), parsed(scrape(5)))], 1.0).requests == 5.0


def test_nothing_happened() -> None:
    found = use([(parsed(scrape()), parsed(scrape()))], 1.0)
    assert (found.p99, found.real_time_factor, found.hit_rate, found.requests) == (None, None, None, 0.0)
    assert use([], 1.0) == Use()


@pytest.mark.parametrize(
    "buckets, expected",
    [
        ({}, None),
        ({math.inf: 0.0}, None),
        ({1.0: 50.0, 2.0: 100.0, math.inf: 100.0}, 1.98),
        ({1.0: 0.0, math.inf: 10.0}, 1.0),
    ],
)
def test_the_quantile_is_that_of_prometheus(buckets: dict[float, float], expected: float | None) -> None:
    found = quantile(buckets, 0.99)
    assert found == (expected if expected is None else pytest.approx(expected))


def pod(name: str) -> Json:
    labels = {"app.kubernetes.io/instance": "narrator"}
    container = {"name": "server", "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}}}
    return {"metadata": {"name": name, "namespace": "speech", "labels": labels}, "spec": {"containers": [container]}}


def answers() -> dict[str, object]:
    return {
        "get pods": {"items": [pod("a"), pod("b")]},
        f"get pods --selector={BACKENDS}": {"items": []},
        "get --raw=/api/v1/namespaces/speech/pods/a:7860/proxy/metrics": scrape(),
        "get --raw=/api/v1/namespaces/speech/pods/b:7860/proxy/metrics": failing(
            "Error from server (ServiceUnavailable)"
        ),
    }


def test_services_and_pods_that_do_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, answers())
    result = ran(capsys, "top narrator --interval 0.5s")
    assert (result.code, result.err) == (0, "")
    head, row = [line.split() for line in result.out.splitlines()]
    assert head == ["NAME", "PODS", "REQ/S", "ERRORS", "BUSY", "P99", "RTF", "QUEUE", "CACHE", "CPU", "MEMORY"]
    assert row == ["narrator", "1/2", "0.0", "-", "-", "-", "-", "3", "(1.5", "s)", "-", "0.00", "1500.0", "MB"]
    (found,) = json.loads(ran(capsys, "top --interval 0.5 --core-price 0.04 -o json").out)
    assert (found["name"], found["pods"], found["costPerHour"]) == ("narrator", 1, 0.04)
    rows = ran(capsys, "top --pods --interval 0.5").out.splitlines()
    assert [each.split()[0] for each in rows] == ["POD", "a", "b"]


def test_cost() -> None:
    pods = [Pod(name="a", namespace="n", service="s", cores=2.0, memory=4 * 2**30)] * 3
    assert cost(pods, Prices(core=0.05, gibibyte=0.01)) == pytest.approx(0.42)
    head, (row,) = table({"s": Use(pods=3, audio=2.0)}, {"s": pods}, {"s": 0.3}, by_pod=False)
    assert (head[-2:], row[-2:]) == (("COST/H", "COST/AUDIO-H"), ["0.300", "0.150"])


def test_a_backend_as_a_sidecar_costs_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    both = pod("a")
    init = {"name": "write-models", "resources": {"requests": {"cpu": "9"}}}
    both["spec"]["initContainers"] = [init, {"name": "backend", "resources": {"requests": {"cpu": "1500m"}}}]
    recorded(monkeypatch, {**answers(), "get pods": {"items": [both]}})
    (found,) = json.loads(ran(capsys, "top --interval 0.5 --core-price 0.04 -o json").out)
    assert found["costPerHour"] == pytest.approx(0.08)


def test_the_pods_of_a_separate_backend_and_their_gpus_cost_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = {
        "cpu": "1",
        "nvidia.com/gpu": "2",
        "nvidia.com/mig-1g.5gb": "1",
        "rdma/hca": "1",
        "nvidia.com/gpumem": "3000",
    }
    backend, other = pod("narrator-backend-x"), pod("other-backend-x")
    for each in (backend, other):
        each["spec"]["containers"] = [{"name": "backend", "resources": {"requests": requests}}]
    other["metadata"]["labels"] = {"app.kubernetes.io/instance": "other"}
    found = {"items": [backend, other]}
    record = recorded(monkeypatch, {**answers(), f"get pods --selector={BACKENDS}": found})
    (document,) = json.loads(ran(capsys, "top --interval 0.5 --core-price 0.04 --gpu-price 2 -o json").out)
    assert (document["name"], document["costPerHour"]) == ("narrator", pytest.approx(2 * 0.02 + 0.04 + 3 * 2))
    (document,) = json.loads(ran(capsys, "top narrator --interval 0.5 --gpu-price 2 -o json").out)
    assert document["costPerHour"] == 6.0
    assert f"get pods --selector={BACKENDS},app.kubernetes.io/instance=narrator" in " ".join(record.runs)


@pytest.mark.parametrize(
    "more, code, words",
    [
        ({"get pods": {"items": []}}, 3, "there is no TTSService 'narrator'"),
        ({"get pods": {"items": [pod(str(number)) for number in range(101)]}}, 3, "100 can be asked at once"),
        ({"get --raw": failing("no")}, 4, "right to `get` pods/proxy"),
    ],
)
def test_what_cannot_be_measured(
    more: dict[str, object], code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"get pods": {"items": [pod("a")]}, "get ttsservices": "", **more}
    recorded(monkeypatch, known)
    result = ran(capsys, "top narrator --interval 0.5")
    assert result.code == code
    assert words in result.err
    assert ran(capsys, "top --interval 1h").code == 2


def test_an_unknown_namespace_has_no_pods(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(monkeypatch, {"get pods": {"items": []}, "get ttsservices": body()})
    assert "no pod of a TTSService runs" in ran(capsys, "top").err
