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
CHANGE_CAUSE_ANNOTATION = "kubernetes.io/change-cause"
"""kubectl's annotation for the reason of a change."""


SPECS = 256
"""Number of parsed specs to cache: a service is reconciled many times in a row, and many have equal specs."""


class InvalidSpecError(ValueError):
    """The spec is invalid. Only possible if the CRD in the cluster does not belong to this operator version."""


class Commands(NamedTuple):
    """Commands of users: annotations that name the one rollout that they apply to (`kubectl tts`).

    ROLLOUT is REVISION@STARTTIME, both from `status.rollout`.
    """

    promote: str = ""
    """ROLLOUT/PLACE: continue from this place: `step-1` and so on of a canary, `preview` or `switched` of a blue/green
    rollout. ROLLOUT: continue to the end."""
    abort: str = ""
    """ROLLOUT: roll it back."""
    undo: str = ""
    """OLDER@REVISION/NUMBER: run the older revision while the spec asks for this one. A revision gets a new number if
    the spec returns to it, so that an undo does not apply a second time."""


@dataclass(frozen=True, kw_only=True)
class TTSService:
    """A TTSService. `status` is the last reported status, as JSON."""

    refresh: str = ""
    """Value of the annotation `tts-operator.io/refresh`. A new value requests the operator's current defaults."""

    commands: Commands = field(default_factory=Commands)
    """Commands of users for a rollout."""
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
        """Parse an object of the API server. Raises InvalidSpecError, which names the fields."""
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
            cause=annotations.get(CHANGE_CAUSE_ANNOTATION, ""),
        )


@lru_cache(maxsize=SPECS)
def _spec(text: bytes) -> Spec:
    """Parse a spec. Raises ValidationError."""
    return Spec.model_validate(msgspec.json.decode(text))
