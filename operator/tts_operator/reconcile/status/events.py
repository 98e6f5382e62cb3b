"""Events, on transitions only: what `kubectl describe` shows."""

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
"""Reasons of Ready=False that are nobody's fault."""
NOTE_MAX = 1000
"""Longest note that the API accepts is 1024 bytes."""


def transition_event(metadata: Json, before: Json, after: Json) -> Json | None:
    """An event for the object of `metadata` where Ready turned, or a problem got another reason; None where neither."""
    if before.get("status") == after["status"] and before.get("reason") == after["reason"]:
        return None
    good = after["status"] == "True" or after["reason"] in PROGRESS
    if before.get("status") != "True" and after["status"] != "True" and good:
        return None  # a service on its way up: its end is the news
    return _event(metadata, after["reason"], after["message"], good=good, action="Reconcile")


def pod_event(metadata: Json, reason: str, note: str) -> Json:
    """An event for the object of `metadata` about one of its pods that was fenced, or came back."""
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
