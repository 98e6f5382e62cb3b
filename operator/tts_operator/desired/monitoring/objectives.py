"""Rules for the service level objectives: what to record, and alerts on how fast the error budget is used up.

The error budget is what an objective allows to fail in 30 days. A burn rate of 1 uses it up in exactly that time. Each
alert looks at a long window, which says that the loss is significant, and at a short one, which says that it goes on.

Source: https://sre.google/workbook/alerting-on-slos/ (6: Multiwindow, Multi-Burn-Rate Alerts)
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tts_operator.api import TTSService
from tts_operator.desired.monitoring.pod_monitor import job_of
from tts_operator.desired.monitoring.rules import Alert, records, series
from tts_operator.json_object import Json

SPEECH = "/v1/audio/speech|/v1/audio/speech/stream|/v1/audio/timestamps|/api/tts"
"""The speech endpoints, as named in the server's metrics."""
INTERVAL_SECONDS = 30
"""Interval of evaluation. A sum over recorded rates, times this, is a number of requests."""
MIN_FAILURES = 10
"""An alert needs this many failed requests in its long window. Without it, one failed request of a service that gets
ten in an hour would wake somebody. One user may cause three, because OpenAI's clients try each request three times."""
RATE_SECONDS = 300
"""The window of recorded rates. It is longer if scrapes are so rare that it would not contain four of them."""
_SCRAPES = 4

_REQUESTS, _FAILURES = "tts_requests:rate", "tts_request_failures:rate"
_ANSWERED, _LATE = "tts_first_audio:rate", "tts_first_audio_late:rate"


@dataclass(frozen=True, kw_only=True)
class Burn:
    """One row of the table in the SRE workbook: 2 %, 5 %, and 10 % of the budget lost within the long window."""

    rate: Decimal
    """Times the rate that would use up the budget in exactly 30 days."""
    long: str
    short: str
    lasts: str
    """How long the budget of 30 days lasts at this rate."""
    severity: Literal["critical", "warning"]


BURNS = (
    Burn(rate=Decimal("14.4"), long="1h", short="5m", lasts="50 hours", severity="critical"),
    Burn(rate=Decimal(6), long="6h", short="30m", lasts="5 days", severity="critical"),
    Burn(rate=Decimal(1), long="3d", short="6h", lasts="30 days", severity="warning"),
)


def objective_records(service: TTSService) -> list[Json]:
    """Rates of requests and failures, once per service.

    Windows of hours and days then read one series each, instead of one for each pod, endpoint, and status.
    """
    asked = service.spec.monitoring
    ours = f'job="{job_of(service)}"'
    window = f"{max(RATE_SECONDS, _SCRAPES * asked.pod_monitor.interval_seconds)}s"

    def rate(metric: str, matchers: str = ours) -> str:
        return f"sum(rate({metric}{{{matchers}}}[{window}]))"

    speech = f'{ours},endpoint=~"{SPEECH}"'
    failed = rate("tts_requests_total", f'{speech},status=~"5.."')
    # Without 4xx, or a client that only sends bad requests would hide the failures of the others.
    valid = rate("tts_requests_total", f'{speech},status!~"4.."')
    answered = rate("tts_time_to_first_audio_seconds_count")
    in_time = rate("tts_time_to_first_audio_seconds_bucket", f"{ours},{_le(asked.first_audio_milliseconds)}")
    return records(
        service,
        {
            _REQUESTS: f"{valid} + ({rate('tts_duplex_tasks_total')} or vector(0))",
            _FAILURES: f"({failed} or vector(0)) + ({rate('tts_interruptions_total')} or vector(0))",
            _ANSWERED: answered,
            _LATE: f"{answered} - {in_time}",
        },
    )


def objective_alerts(service: TTSService) -> list[Alert]:
    """The alerts of both objectives."""
    asked = service.spec.monitoring.objectives
    seconds = f"{service.spec.monitoring.first_audio_milliseconds / 1000:g}"
    name = job_of(service)
    return [
        _burning(
            service,
            burn,
            alert="TTSServiceAvailabilityBudgetBurn",
            target=asked.availability.target,
            bad=_FAILURES,
            all_=_REQUESTS,
            summary=f"Too many requests to {name} fail",
            happens="of the speech requests fail",
        )
        for burn in BURNS
    ] + [
        _burning(
            service,
            burn,
            alert="TTSServiceLatencyBudgetBurn",
            target=asked.latency.target,
            bad=_LATE,
            all_=_ANSWERED,
            summary=f"{name} is too slow",
            happens=f"of the speech requests wait longer than {seconds} s for their first audio",
        )
        for burn in BURNS
    ]


def _burning(
    service: TTSService, burn: Burn, *, alert: str, target: str, bad: str, all_: str, summary: str, happens: str
) -> Alert:
    failed, of = series(service, bad), series(service, all_)
    budget = (100 - Decimal(target.removesuffix("%"))) / 100
    most = f"{(burn.rate * budget).normalize():f}"
    # The recorded rates already have a window of five minutes.
    short = f"{failed} / {of}" if burn.short == "5m" else _share(failed, of, burn.short)
    expression = (
        f"{_share(failed, of, burn.long)} > {most} and {short} > {most}"
        f" and sum_over_time({failed}[{burn.long}]) * {INTERVAL_SECONDS} >= {MIN_FAILURES}"
    )
    return Alert(
        name=alert,
        expression=expression,
        severity=burn.severity,
        labels={"long": burn.long, "short": burn.short},
        summary=summary,
        description=(
            f"{{{{ $value | humanizePercentage }}}} {happens}, averaged over the last {burn.long}. The objective "
            f"allows {(budget * 100).normalize():f}% over 30 days; at this rate, that is used up within {burn.lasts}."
        ),
    )


def _share(bad: str, all_: str, window: str) -> str:
    return f"sum_over_time({bad}[{window}]) / sum_over_time({all_}[{window}])"


def _le(milliseconds: int) -> str:
    """The matcher of a bucket. Prometheus' own format has "1.0" for whole seconds, others have "1"."""
    seconds = f"{milliseconds / 1000:g}"
    return f'le="{seconds}"' if "." in seconds else f'le=~"{seconds}|{seconds}.0"'
