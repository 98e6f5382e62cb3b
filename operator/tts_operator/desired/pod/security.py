"""What the restricted Pod Security Standard requires of pods and containers.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from tts_operator.json_object import Json

USER = 10001
"""The user and group that the server image runs as."""
RESTRICTED: Json = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The securityContext of a pod."""
CONFINED: Json = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""What the securityContext of each container contains in addition."""
