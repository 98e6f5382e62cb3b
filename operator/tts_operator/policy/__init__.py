"""The policy: what TTSServices may use, as set by the cluster's administrators. Pure, except for reading the file.

Anyone who may write a TTSService makes the operator create objects with the operator's rights. So each spec, and each
pod template that is about to run, is checked against the policy before anything is applied.
"""

from tts_operator.policy.addresses import is_forbidden
from tts_operator.policy.bounds import Bounds, Violation, message
from tts_operator.policy.fields import spec_violations
from tts_operator.policy.images import repository
from tts_operator.policy.model import Policy, PolicyError, load
from tts_operator.policy.origins import origins_in
from tts_operator.policy.shape import misshapen
from tts_operator.policy.template import template_violations

__all__ = [
    "Bounds",
    "Policy",
    "PolicyError",
    "Violation",
    "is_forbidden",
    "load",
    "message",
    "misshapen",
    "origins_in",
    "repository",
    "spec_violations",
    "template_violations",
]
