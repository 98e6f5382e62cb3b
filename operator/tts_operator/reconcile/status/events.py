"""Events for transitions of a TTSService, as `kubectl describe` shows them."""

import datetime
import os
import socket

from tts_operator.api import API_VERSION, KIND
from tts_operator.desired.identity import NODE_UNREACHABLE
from tts_operator.json_object import Json

CONTROLLER = "tts-operator.io/operator"
PROGRESS = {
    "Creating",
    "RolloutInProgress",
    "PodsNotReady",
    "Paused",
    "RoutePending",
    "CertificateNotReady",
    "RolloutPaused",
}
"""Reasons of Ready=False that are normal progress, and not a problem."""
NOTE_MAX = 1000
"""In bytes. The API accepts at most 1024."""


def transition_event(metadata: Json, before: Json, after: Json) -> Json | None:
    """Return an event if Ready changed, or a problem has a new reason; otherwise None. `metadata` is the object's."""
    if before.get("status") == after["status"] and before.get("reason") == after["reason"]:
        return None
    good = after["status"] == "True" or after["reason"] in PROGRESS
    if before.get("status") != "True" and after["status"] != "True" and good:
        return None  # a service that is starting: only the result is worth an event
    return _event(metadata, after["reason"], after["message"], good=good, action="Reconcile")


def pod_event(metadata: Json, reason: str, note: str) -> Json:
    """Return an event about a pod that was fenced or restored. `metadata` is that of its TTSService."""
    return _event(metadata, reason, note, good=reason != NODE_UNREACHABLE, action="Fence")


def _event(metadata: Json, reason: str, note: str, *, good: bool, action: str) -> Json:
    namespace, name = metadata["namespace"], metadata["name"]
    now = datetime.datetime.now(datetime.UTC)
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"{name}.{now.timestamp():.6f}".replace(".", "-")},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Normal" if good else "Warning",
        "reason": reason,
        "action": action,
        "note": note.encode()[:NOTE_MAX].decode(errors="ignore"),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": namespace,
            "name": name,
            "uid": metadata["uid"],
        },
        "reportingController": CONTROLLER,
        "reportingInstance": f"{socket.gethostname()}-{os.getpid()}"[:128],
    }
