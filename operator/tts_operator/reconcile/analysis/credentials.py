"""How the operator makes itself known to pods that want API keys, and what is wrong where they do not know it."""

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
    """What makes the key for one request to a pod; None where it is to be asked without."""
    if pod.admits.public_key == keyring.public_key:
        return lambda: keyring.token(pod.uid, time.time())
    if pod.admits.uid and not pod.admits.public_key:
        # Of a revision that an older operator has made: one that serves, that is gone back to, or that it was about to
        # roll out. Its template is kept, so its pods go on with this until the next revision.
        return lambda: pod.uid
    return None


def is_stranger(pod: PodEndpoint, keyring: Keyring) -> bool:
    """Whether a pod takes the tokens of another operator only."""
    return pod.admits.public_key not in ("", keyring.public_key)


def refused(pod: PodEndpoint) -> str:
    """Why a pod has answered 401, as far as its template tells, and what to do."""
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
