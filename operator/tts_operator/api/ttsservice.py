"""The TTSService object as the operator reads it from the API server."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from pydantic import ValidationError

from tts_operator.api.spec import Spec

GROUP = "tts-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TTSService"
PLURAL = "ttsservices"
REFRESH_ANNOTATION = f"{GROUP}/refresh"

Json = dict[str, Any]

SPECS = 256
"""So many specs are kept as they were read: a service is looked at many times in a row, and many have the same."""


class InvalidSpecError(ValueError):
    """The spec cannot be understood. Only met when the CRD in the cluster is not the one of this operator."""


@dataclass(frozen=True, kw_only=True)
class TTSService:
    """One TTSService; `status` is what was last reported, as JSON."""

    refresh: str = ""
    """Value of the annotation `tts-operator.io/refresh`: a new one asks for the operator's present defaults."""

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
        try:
            spec = _spec(orjson.dumps(body.get("spec", {})))
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
            refresh=metadata.get("annotations", {}).get(REFRESH_ANNOTATION, ""),
        )


@lru_cache(maxsize=SPECS)
def _spec(text: bytes) -> Spec:
    """Read a spec. Raises ValidationError."""
    return Spec.model_validate(orjson.loads(text))
