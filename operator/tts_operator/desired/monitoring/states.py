"""Alerts on states: nobody speaks, the service is not ready, a rollout hangs or was rolled back, jobs do not move."""

from collections.abc import Iterator

from tts_operator.api import TTSService
from tts_operator.api.jobs import Workers
from tts_operator.desired.monitoring.pod_monitor import job_of, worker_job_of
from tts_operator.desired.monitoring.rules import Alert, records, series
from tts_operator.json_object import Json

STUCK_SECONDS = 3600
"""How long a phase that nobody has to end may take, unless three progress deadlines are longer."""
INTENDED = ("ScaledToZero", "RolloutPaused", "Undone")
"""Reasons of a condition that is False because somebody wants it so."""
_CONDITION = "tts_operator_service_condition"
_PHASE = "tts_operator_rollout_phase_start_time_seconds"
_READY_PODS = "tts_ready_pods:sum"
_WAITING_PHASES = "Stepping|Previewing|Switched"
"""Phases that last as long as the spec says, or until somebody promotes."""


def state_records(service: TTSService) -> list[Json]:
    """The number of pods that can speak.

    It is 0 if pods are known and none has its model, and if the operator says that none is available. It is absent if
    nothing is known.
    """
    ours = f'{{job="{job_of(service)}"}}'
    available = f"max({_condition(service, 'Available')})"
    known = f"(sum(tts_model_ready{ours}) or sum(up{ours}) * 0)"
    return records(service, {_READY_PODS: f"{known} * ({available} or vector(1)) or {available} == 0"})


def serving_alerts(service: TTSService) -> Iterator[Alert]:
    """Alerts for a service that is to have pods."""
    name, pods = job_of(service), series(service, _READY_PODS)
    yield Alert(
        name="TTSServiceDown",
        # A new service, or one that was scaled up from 0, has ten minutes to load its model.
        # Without any pod there are no metrics of pods, and the operator's may not be scraped.
        expression=f"{pods} == 0 and (max_over_time({pods}[1h]) > 0 or {pods} offset 10m == 0)"
        f" or absent({pods}) and max_over_time({pods}[1h]) > 0",
        minutes=2,
        severity="critical",
        summary=f"No pod of {name} can speak",
        description=f"No pod of {name} has loaded its model and takes requests, so all requests fail.",
    )
    yield Alert(
        name="TTSServiceMetricsMissing",
        expression=f'absent(sum(up{{job="{name}"}}))',
        minutes=15,
        severity="warning",
        summary=f"Prometheus has no metrics of {name}",
        description=f"Prometheus finds no pod of {name}, so no other alert on its requests can fire.",
    )


def state_alerts(service: TTSService) -> Iterator[Alert]:
    """Alerts for what the operator reports about any service, and for its lexicon and jobs."""
    name, ours = job_of(service), _of(service)
    yield Alert(
        name="TTSServiceNotReady",
        expression=f"max({_condition(service, 'Ready')}) == 0 unless max({_PHASE}{{{ours}}})",
        minutes=15,
        severity="warning",
        summary=f"{name} is not Ready",
        description=f"For 15 minutes, {name} has not been as its spec asks for, and no rollout is the reason.",
    )
    if not service.spec.rollout.paused:
        most = max(STUCK_SECONDS, 3 * service.spec.rollout.progress_deadline_seconds)
        yield Alert(
            name="TTSServiceRolloutStuck",
            expression=(
                f'time() - max({_PHASE}{{{ours},phase!~"RolledBack|{_WAITING_PHASES}"}}) > {most}'
                f' or max({_PHASE}{{{ours},phase!="RolledBack",reason!=""}}) > 0'
            ),
            minutes=5,
            severity="warning",
            summary=f"The rollout of {name} does not go on",
            description=(
                f"The new revision of {name} fails and is held, or one phase has taken longer than "
                f"{most // 60} minutes. The stable revision serves."
            ),
        )
    yield Alert(
        name="TTSServiceRolledBack",
        expression=f'max({_PHASE}{{{ours},phase="RolledBack",reason!="Aborted"}}) > 0',
        minutes=1,
        severity="warning",
        summary=f"The newest revision of {name} was rolled back",
        description=f"{name} runs the revision before, which is not what its spec asks for.",
    )
    yield Alert(
        name="TTSServiceLexiconReloadFailed",
        expression=f'min(tts_lexicon_last_reload_successful{{job="{name}"}}) == 0',
        minutes=5,
        severity="warning",
        summary=f"Pods of {name} cannot read its lexicon",
        description=f"Pods of {name} use an older lexicon, or none. Their logs name what is wrong.",
    )
    yield Alert(
        name="TTSServiceBackendUnavailable",
        # A pod that has never reached its backend still starts, for as long as the progress deadline lets it.
        expression=(
            f'count(tts_backend_ready{{job="{name}"}} == 0 and on (pod) tts_model_load_seconds{{job="{name}"}} > 0) > 0'
        ),
        minutes=5,
        severity="warning",
        summary=f"Pods of {name} have no backend",
        description=(
            f"For 5 minutes, pods of {name} ({{{{ $value }}}} at the moment) have been unable to speak new texts, "
            "because the backend of their engine cannot. Their logs say why."
        ),
    )
    yield from _job_alerts(service)


def _job_alerts(service: TTSService) -> Iterator[Alert]:
    """Alerts on jobs. With Kafka, workers speak them, whose metrics have a job name of their own."""
    asked = service.spec.jobs
    if asked is None:
        return
    name, speaking, waiting = (
        job_of(service),
        job_of(service),
        f'sum(tts_job_segments_waiting{{job="{job_of(service)}"}})',
    )
    if asked.kafka is not None:
        speaking, waiting = worker_job_of(service), f'max(tts_job_waiting_seconds{{job="{name}"}})'
    workers = asked.workers or Workers()
    if asked.kafka is None or workers.replicas or workers.autoscaling is not None:
        yield Alert(
            name="TTSServiceJobsStuck",
            expression=(
                f'{waiting} > 0 and (sum(increase(tts_job_segments_total{{job="{speaking}"}}[15m])) or vector(0)) == 0'
            ),
            minutes=15,
            severity="warning",
            summary=f"Jobs of {name} do not move",
            description=f"Long texts wait, and for half an hour no part of any of them was spoken by {speaking}.",
        )
    yield Alert(
        name="TTSServiceJobStorageFailing",
        expression=f'sum(rate(tts_job_storage_failures_total{{job="{speaking}"}}[5m])) > 0',
        minutes=10,
        severity="warning",
        summary=f"Jobs of {name} wait for their storage",
        description=(
            f"The storage of jobs or the brokers of {name} fail. Nothing is lost. The logs of {speaking} say why."
        ),
    )


def _condition(service: TTSService, kind: str) -> str:
    """The selector of a condition; of nothing while somebody wants it to be False."""
    return f'{_CONDITION}{{{_of(service)},condition="{kind}",reason!~"{"|".join(INTENDED)}"}}'


def _of(service: TTSService) -> str:
    """The label of the operator's metrics about this service."""
    return f'ttsservice="{job_of(service)}"'
