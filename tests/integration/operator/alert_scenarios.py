"""What a service does, as series like those of the server and the operator, and the alerts that then fire."""

from __future__ import annotations

from tests.integration.operator.promtool import HOUR, Scenario, counting, steady
from tts_operator.desired.monitoring.states import INTENDED
from tts_operator.json_object import Json

JOB, WORKER = "speech/narrator", "speech/narrator-worker"
KAFKA: Json = {"storage": {"persistentVolumeClaim": {}}, "kafka": {"bootstrapServers": ["kafka:9092"]}}
ALONE: Json = {"storage": {"persistentVolumeClaim": {}}}

DAYS = 3 * 24 * 4 + 1
"""Steps of 15 min."""
RARELY: Json = {"monitoring": {"podMonitor": {"enabled": True, "intervalSeconds": 900}}, "jobs": KAFKA}
"""Scraped so rarely that rates need longer windows."""


def requests(steps: int = HOUR, **per_status: float) -> dict[str, str]:
    """The counters of a pod that answers so many speech requests with each status in each step."""
    labels = f'job="{JOB}",pod="a",endpoint="/v1/audio/speech"'
    return {
        f'tts_requests_total{{{labels},status="{status.removeprefix("s")}"}}': counting(each, steps)
        for status, each in per_status.items()
    }


def first_audio(*, within: float, beyond: float, steps: int = HOUR, bound: str = "1.2") -> dict[str, str]:
    """The histogram of a pod: requests with their first audio in time, and others, in each step."""
    name, labels = "tts_time_to_first_audio_seconds", f'job="{JOB}",pod="a",cache="miss"'
    both = within + beyond
    return {
        f'{name}_bucket{{{labels},le="{bound}"}}': counting(within, steps),
        f'{name}_bucket{{{labels},le="+Inf"}}': counting(both, steps),
        f"{name}_count{{{labels}}}": counting(both, steps),
    }


def condition(kind: str, values: str, of: str = JOB, reason: str = "Any") -> dict[str, str]:
    labels = f'ttsservice="{of}",condition="{kind}",reason="{reason}",pod="operator"'
    return {f"tts_operator_service_condition{{{labels}}}": values}


def phase(name: str, began: int = 1, *, reason: str = "", steps: int = HOUR) -> dict[str, str]:
    """A rollout that entered its phase so many seconds after the start."""
    labels = f'ttsservice="{JOB}",phase="{name}",reason="{reason}"'
    return {f"tts_operator_rollout_phase_start_time_seconds{{{labels}}}": steady(began, steps)}


def ready(values: str, *, pod: str = "a", job: str = JOB) -> dict[str, str]:
    return {f'tts_model_ready{{job="{job}",pod="{pod}"}}': values}


def up(values: str, *, pod: str = "a") -> dict[str, str]:
    return {f'up{{job="{JOB}",pod="{pod}"}}': values}


def lexicon(pod: str, values: str, job: str = JOB) -> dict[str, str]:
    return {f'tts_lexicon_last_reload_successful{{job="{job}",pod="{pod}"}}': values}


def backend(pod: str, values: str, *, loaded: str = "8x120", job: str = JOB) -> dict[str, str]:
    """A pod whose engine has a backend. It sets the time that its model took to load once it has loaded it."""
    labels = f'job="{job}",pod="{pod}"'
    return {f"tts_backend_ready{{{labels}}}": values, f"tts_model_load_seconds{{{labels}}}": loaded}


def failures(values: str, job: str = WORKER) -> dict[str, str]:
    """The counter of a worker whose storage fails."""
    return {f'tts_job_storage_failures_total{{job="{job}",pod="w"}}': values}


def segments(values: str, job: str = WORKER) -> dict[str, str]:
    return {f'tts_job_segments_total{{job="{job}",pod="w",result="made"}}': values}


def waiting(values: str) -> dict[str, str]:
    return {f'tts_job_waiting_seconds{{job="{JOB}",pod="a"}}': values}


def healthy(steps: int = HOUR) -> dict[str, str]:
    """A service under load, with jobs."""
    return {
        **ready(steady(1, steps)),
        **up(steady(1, steps)),
        **condition("Ready", steady(1, steps)),
        **condition("Available", steady(1, steps)),
        **requests(steps, s200=100, s400=20, s429=20, s499=20),
        **first_audio(within=100, beyond=0, steps=steps),
        **lexicon("a", steady(1, steps)),
        **backend("a", steady(1, steps), loaded=steady(8, steps)),
        **waiting(steady(60, steps)),
        **segments(counting(1, steps)),
        **failures(steady(0, steps)),
    }


NOTHING = dict.fromkeys(healthy(), "_x121")
"""Instead of the healthy service, no series at all."""


SCENARIOS = [
    Scenario(name="healthy", at="1m 5m 15m 30m 60m"),
    Scenario(name="healthy, without workers", spec={"jobs": ALONE}, at="30m 60m"),
    # Availability
    Scenario(
        name="3 % errors",
        series=requests(s200=97, s500=3),
        firing={"TTSServiceAvailabilityBudgetBurn": "1h,6h,3d"},
        value="3%",
        at="60m",
    ),
    Scenario(
        name="3 % refused for lack of capacity",
        series=requests(s200=97, s503=3),
        firing={"TTSServiceAvailabilityBudgetBurn": "1h,6h,3d"},
        value="3%",
        at="60m",
    ),
    Scenario(
        name="1 % errors",
        series=requests(s200=99, s502=1),
        firing={"TTSServiceAvailabilityBudgetBurn": "6h,3d"},
        value="1%",
        at="60m",
    ),
    Scenario(
        name="1 % errors, with an objective of 99 %",
        series=requests(s200=99, s502=1),
        spec={"monitoring": {"objectives": {"availability": {"target": "99%"}}}},
        at="60m",
    ),
    Scenario(
        name="1 % of the streams break off",
        series={f'tts_interruptions_total{{job="{JOB}",pod="a",reason="deadline_exceeded"}}': counting(1)},
        firing={"TTSServiceAvailabilityBudgetBurn": "6h,3d"},
        value="1%",
        at="60m",
    ),
    Scenario(
        name="errors that have ended ten minutes ago",
        series=requests(s200=97)
        | {f'tts_requests_total{{job="{JOB}",pod="a",endpoint="/v1/audio/speech",status="500"}}': "0+3x100 300x20"},
        firing={"TTSServiceAvailabilityBudgetBurn": "6h,3d"},
        value="2.608%",
        at="60m",
    ),
    Scenario(
        name="one failed request of ten in an hour",
        series=dict.fromkeys(requests(s400=0, s429=0, s499=0), "0x121")
        | requests(s200=0.075)
        | {f'tts_requests_total{{job="{JOB}",pod="a",endpoint="/v1/audio/speech",status="500"}}': "0x60 1x60"},
        at="60m",
    ),
    Scenario(
        name="all of twelve requests fail within an hour",
        series=dict.fromkeys(requests(s200=0, s400=0, s429=0, s499=0), "0x121") | requests(s500=0.1),
        firing={"TTSServiceAvailabilityBudgetBurn": "1h,6h,3d"},
        value="100%",
        at="60m",
    ),
    Scenario(
        name="requests to other endpoints fail",
        series={f'tts_requests_total{{job="{JOB}",pod="a",endpoint="/v1/models",status="500"}}': counting(50)},
        at="60m",
    ),
    # Latency
    Scenario(name="one in a thousand waits", series=first_audio(within=999, beyond=1), at="60m"),
    Scenario(
        name="one in five waits",
        series=first_audio(within=80, beyond=20),
        firing={"TTSServiceLatencyBudgetBurn": "1h,6h,3d"},
        value="20%",
        at="60m",
    ),
    Scenario(
        name="one in five waits, which the objective allows",
        series=first_audio(within=100, beyond=0, bound="2.0") | first_audio(within=80, beyond=20),
        spec={"monitoring": {"objectives": {"latency": {"firstAudioMilliseconds": 2000}}}},
        at="60m",
    ),
    Scenario(
        name="one in five waits longer than whole seconds",
        series=first_audio(within=100, beyond=0) | first_audio(within=80, beyond=20, bound="2.0"),
        spec={"monitoring": {"objectives": {"latency": {"firstAudioMilliseconds": 2000}}}},
        firing={"TTSServiceLatencyBudgetBurn": "1h,6h,3d"},
        value="20%",
        at="60m",
    ),
    Scenario(
        name="few requests, of which one waits",
        series=first_audio(within=0.1, beyond=0)
        | {f'tts_time_to_first_audio_seconds_count{{job="{JOB}",pod="a",cache="miss"}}': "0+0.1x60 7+0.1x60"},
        at="60m",
    ),
    # Nobody speaks
    Scenario(
        name="no model is loaded any more",
        series=ready("1x40 0x80"),
        firing={"TTSServiceDown": ""},
    ),
    Scenario(name="no model is loaded for two minutes", series=ready("1x56 0x64")),
    Scenario(
        name="no pod answers Prometheus",
        series=ready("1x30 stale") | up("1x30 0x90"),
        firing={"TTSServiceDown": ""},
    ),
    Scenario(
        name="all pods are gone",
        series=ready("1x40 stale") | up("1x40 stale") | condition("Available", "1x40 0x80"),
        firing={"TTSServiceDown": ""},
    ),
    Scenario(
        name="all pods are gone, and Prometheus does not scrape the operator",
        series={**NOTHING, **ready("1x40 stale"), **up("1x40 stale")},
        firing={"TTSServiceDown": ""},
    ),
    Scenario(name="a new service loads its model", series=ready("_x47 0x73") | up("_x47 1x73")),
    Scenario(
        name="a new service does not load its model", series=ready(steady(0)), firing={"TTSServiceDown": ""}, at="20m"
    ),
    Scenario(
        name="only a worker has loaded the model",
        series=ready(steady(0)) | ready(steady(1), pod="w", job=WORKER),
        firing={"TTSServiceDown": ""},
    ),
    Scenario(
        name="Prometheus does not scrape the pods",
        series={**NOTHING, **condition("Ready", steady(1)), **condition("Available", steady(1))},
        firing={"TTSServiceMetricsMissing": ""},
    ),
    # As asked for
    Scenario(name="no replicas", series=NOTHING, spec={"replicas": 0}),
    Scenario(
        name="scaled to no replicas after failures",
        series=NOTHING
        | condition("Ready", steady(1))
        | {name: f"{values.removesuffix('x121')}x100 stale" for name, values in requests(s200=50, s500=50).items()},
        spec={"replicas": 0},
        at="60m",
    ),
    # What the operator reports
    Scenario(name="not Ready", series=condition("Ready", "1x20 0x100"), firing={"TTSServiceNotReady": ""}),
    Scenario(
        name="not Ready for one reason after the other",
        series=condition("Ready", "1x20 0x30 stale") | condition("Ready", "_x52 0x69", reason="Another"),
        firing={"TTSServiceNotReady": ""},
    ),
    *(
        Scenario(
            name=f"not Ready, as somebody wants it: {reason}",
            series=condition("Ready", "1x20 stale") | condition("Ready", "_x21 0x100", reason=reason),
        )
        for reason in INTENDED
    ),
    Scenario(name="not Ready for ten minutes", series=condition("Ready", "1x40 0x80")),
    Scenario(name="another service is not Ready", series=condition("Ready", steady(0), of="speech/other")),
    Scenario(name="a rollout", series=condition("Ready", "1x10 0x110") | phase("Checking", 300)),
    Scenario(
        name="a rollout that hangs",
        series=healthy(241) | condition("Ready", steady(0, 241)) | phase("Promoting", steps=241),
        firing={"TTSServiceRolloutStuck": ""},
        at="70m",
    ),
    Scenario(name="a long step of a canary", series=healthy(241) | phase("Stepping", steps=241), at="70m"),
    Scenario(
        name="a failing revision that is held",
        series=phase("Stepping", 600, reason="ErrorRate"),
        firing={"TTSServiceRolloutStuck": ""},
    ),
    Scenario(
        name="a paused rollout",
        series=healthy(241) | phase("Promoting", steps=241),
        spec={"rollout": {"paused": True}},
        at="70m",
    ),
    Scenario(
        name="a rollback",
        series=phase("RolledBack", 600, reason="SpeechCheckFailed"),
        firing={"TTSServiceRolledBack": ""},
    ),
    Scenario(name="an aborted rollout", series=phase("RolledBack", 600, reason="Aborted")),
    # The lexicon
    Scenario(
        name="one pod has a wrong lexicon",
        series=lexicon("b", steady(0)),
        firing={"TTSServiceLexiconReloadFailed": ""},
    ),
    Scenario(name="a wrong lexicon for two minutes", series=lexicon("b", "1x56 0x64")),
    Scenario(name="a lexicon that was corrected", series=lexicon("b", "0x56 1x64")),
    Scenario(name="another service's lexicon", series=lexicon("b", steady(0), job="speech/other")),
    # The backend
    Scenario(
        name="the backend of one pod is away",
        series=backend("b", "1x40 0x80"),
        firing={"TTSServiceBackendUnavailable": ""},
        value="1",
    ),
    Scenario(
        name="the backend is away from both pods",
        series=backend("a", "1x40 0x80") | backend("b", "1x40 0x80"),
        firing={"TTSServiceBackendUnavailable": ""},
        value="2",
    ),
    Scenario(name="a backend that is away for two minutes", series=backend("b", "1x56 0x64")),
    Scenario(name="a backend that is back", series=backend("b", "0x56 1x64")),
    Scenario(name="a pod that waits for its backend to load a model", series=backend("b", steady(0), loaded=steady(0))),
    Scenario(name="another service's backend", series=backend("b", steady(0), job="speech/other")),
    # Jobs
    Scenario(
        name="workers that do nothing",
        series=segments(steady(40)),
        firing={"TTSServiceJobsStuck": ""},
    ),
    Scenario(name="workers that do nothing for ten minutes", series=segments("0+1x40 40x80")),
    Scenario(name="no job waits", series=segments(steady(40)) | waiting(steady(0))),
    Scenario(
        name="no workers, as asked for",
        series=segments(steady(40)),
        spec={"jobs": {**KAFKA, "workers": {"replicas": 0}}},
    ),
    Scenario(
        name="a server that does nothing for its jobs",
        series=segments(steady(40), job=JOB) | {f'tts_job_segments_waiting{{job="{JOB}",pod="a"}}': steady(5)},
        spec={"jobs": ALONE},
        firing={"TTSServiceJobsStuck": ""},
    ),
    Scenario(
        name="the storage of jobs fails", series=failures(counting(1)), firing={"TTSServiceJobStorageFailing": ""}
    ),
    Scenario(name="a storage that is back", series=failures("0+1x20 20x100")),
    Scenario(name="another service's storage", series=failures(counting(1), job="speech/other-worker")),
]

LONG = [
    Scenario(name="three healthy days", series=healthy(DAYS), spec=RARELY, at="3d"),
    Scenario(
        name="0.2 % errors for three days",
        series=healthy(DAYS) | requests(DAYS, s200=1996, s500=4),
        firing={"TTSServiceAvailabilityBudgetBurn": "3d"},
        value="0.2%",
        spec=RARELY,
        at="3d",
    ),
    Scenario(
        name="2 % wait for three days",
        series=healthy(DAYS) | first_audio(within=980, beyond=20, steps=DAYS),
        firing={"TTSServiceLatencyBudgetBurn": "3d"},
        value="2%",
        spec=RARELY,
        at="3d",
    ),
]
