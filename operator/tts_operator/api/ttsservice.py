"""The TTSService object as the operator reads it from the API server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from pydantic import ValidationError

from tts_operator.api.spec import Spec

GROUP = "tts-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TTSService"
PLURAL = "ttsservices"
REFRESH_ANNOTATION = f"{GROUP}/refresh"
PROMOTE_ANNOTATION = f"{GROUP}/promote"
ABORT_ANNOTATION = f"{GROUP}/abort"
UNDO_ANNOTATION = f"{GROUP}/undo"
CAUSE_ANNOTATION = "kubernetes.io/change-cause"
"""What `kubectl` has for a person's word on why a workload was changed."""


SPECS = 256
"""So many specs are kept as they were read: a service is looked at many times in a row, and many have the same."""


class InvalidSpecError(ValueError):
    """The spec cannot be understood. Only met when the CRD in the cluster is not the one of this operator."""


class Commands(NamedTuple):
    """What a person asks of a rollout, by annotations that name the one rollout that they are about (`kubectl tts`).

    ROLLOUT is REVISION@STARTTIME, both from `status.rollout`.
    """

    promote: str = ""
    """ROLLOUT/PLACE: go on from this place: `step-1` and so on of a canary, `preview` or `switched` of a blue/green
    rollout. ROLLOUT: go on to the end."""
    abort: str = ""
    """ROLLOUT: give it up."""
    undo: str = ""
    """OLDER@REVISION/NUMBER: run the older revision as long as the spec asks for this one. A revision gets a
    new number where the spec goes back to it: an undo of its first time does not count the second time."""


@dataclass(frozen=True, kw_only=True)
class TTSService:
    """One TTSService; `status` is what was last reported, as JSON."""

    refresh: str = ""
    """Value of the annotation `tts-operator.io/refresh`: a new one asks for the operator's present defaults."""

    commands: Commands = field(default_factory=Commands)
    """What a person asks of a rollout."""
    cause: str = ""
    """Value of the annotation `kubernetes.io/change-cause`."""

    namespace: str
    name: str
    uid: str
    generation: int
    deleting: bool
    spec: Spec
    status: Mapping[str, Any]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "TTSService":
        """Read an object of the API server. Raises InvalidSpecError, whose text names the fields."""
        metadata = body["metadata"]
        annotations = metadata.get("annotations", {})
        try:
            spec = _spec(msgspec.json.encode(body.get("spec", {})))
        except ValidationError as error:
            problems = "; ".join(f"spec.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InvalidSpecError(
                f"{problems}. Apply the CRD of this operator's version, then the object again."
            ) from error
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            spec=spec,
            status=body.get("status", {}),
            refresh=annotations.get(REFRESH_ANNOTATION, ""),
            commands=Commands(
                *(annotations.get(name, "") for name in (PROMOTE_ANNOTATION, ABORT_ANNOTATION, UNDO_ANNOTATION))
            ),
            cause=annotations.get(CAUSE_ANNOTATION, ""),
        )


@lru_cache(maxsize=SPECS)
def _spec(text: bytes) -> Spec:
    """Read a spec. Raises ValidationError."""
    return Spec.model_validate(msgspec.json.decode(text))
