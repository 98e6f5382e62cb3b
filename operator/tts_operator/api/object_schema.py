"""The structural schema of a whole TTSService: what the CRD contains, and what `kubectl tts lint` checks."""

from tts_operator.api.schema import defaults, rule, structural
from tts_operator.api.spec import Spec
from tts_operator.api.status import Status
from tts_operator.json_object import Json

NAME_MAX = 50
"""Maximum length of a TTSService's name: its children's names and label values (63) add suffixes to it."""


def schema() -> Json:
    """The schema of a TTSService object."""
    spec, status = structural(Spec), structural(Status)
    return {
        "type": "object",
        "description": "A highly available text-to-speech service, managed by the tts-operator.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {**spec, "default": defaults(spec)},
            "status": {**status, "default": defaults(status)},
        },
        "x-kubernetes-validations": [
            rule(
                f"self.metadata.name.size() <= {NAME_MAX}"
                " && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
                f"metadata.name must start with a letter, contain only lower-case letters, digits, and -, and have at "
                f"most {NAME_MAX} characters, because the Service has the same name",
            )
        ],
    }
