"""How the operator authenticates to pods that require API keys, and why that may fail."""

import time
from collections.abc import Callable

from tts_operator.keyring import Keyring
from tts_operator.reconcile.analysis.model import PodEndpoint

WITHOUT = "set rollout.speechCheck.enabled: false"
STRANGER = (
    "cannot check the pods of this revision: they trust another operator key than the current one, because the "
    "operator's Secret was replaced, or another operator created the revision. Refresh it (kubectl annotate tts "
    f'NAME --overwrite tts-operator.io/refresh="$(date)"), or {WITHOUT}'
)
NOT_COMPARED = " Not compared: the stable revision's pods trust another operator key than the current one."


def credential(pod: PodEndpoint, keyring: Keyring) -> Callable[[], str] | None:
    """A function that creates the bearer token for one request to a pod; None if the pod needs none."""
    if pod.admits.public_key == keyring.public_key:
        return lambda: keyring.token(pod.uid, time.time())
    if pod.admits.uid and not pod.admits.public_key:
        # An older operator created this revision. Its template is kept, so its pods take their uid as the key.
        return lambda: pod.uid
    return None


def is_stranger(pod: PodEndpoint, keyring: Keyring) -> bool:
    """Whether a pod trusts only another operator's tokens."""
    return pod.admits.public_key not in ("", keyring.public_key)


def refused(pod: PodEndpoint) -> str:
    """Why a pod responded with 401, judging by its template, and what to do about it."""
    if pod.admits.public_key:
        return (
            "Its image is too old to support TTS_PROBE_PUBLIC_KEY, or the clocks of its node and the operator's node "
            f"differ by more than 30 s: use a newer image, correct the clock, or {WITHOUT}"
        )
    if pod.admits.uid:
        return f"Its image is too old to support TTS_PROBE_KEY: use a newer one, or {WITHOUT}"
    return (
        "Its template does not let the operator in: set the keys with server.auth, not with podTemplate; refresh a "
        f"revision created by an older operator (annotation tts-operator.io/refresh); or {WITHOUT}"
    )
