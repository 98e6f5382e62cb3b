"""The operator process: wiring, kopf's watch, probes, and metrics. The decisions are in `reconcile`."""

from tts_operator.app.kopfwatch.watch import find_access
from tts_operator.app.operator import Operator
from tts_operator.app.settings import (
    ListenAddress,
    NamespacedName,
    Settings,
    parse_key_secret,
    parse_kinds,
    parse_lease,
    parse_namespaces,
    parse_runbooks,
)
from tts_operator.app.tracing import Tracing, TracingError, start_tracing

__all__ = [
    "ListenAddress",
    "NamespacedName",
    "Operator",
    "Settings",
    "Tracing",
    "TracingError",
    "find_access",
    "parse_key_secret",
    "parse_kinds",
    "parse_lease",
    "parse_namespaces",
    "parse_runbooks",
    "start_tracing",
]
