"""What the two models take and give, and whether those of a Triton do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]

ANY = -1
MEL_BANDS = 80
BUCKET_PHONEMES = 32
"""Phonemes are padded to a multiple of this, so that a model may batch sentences of about the same length."""
REVISION_PARAMETER = "revision"
"""The parameter in a model's configuration that identifies its weights."""
_UNKNOWN_REVISION = "version"


class ContractError(ValueError):
    """A model takes or gives something else. The message says what differs."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output. ``shape`` is without the batch; ``ANY`` is a dimension that differs between requests."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.datatype} {list(self.shape)}"


@dataclass(frozen=True, slots=True)
class Contract:
    """All inputs and outputs of a model, in any order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


ACOUSTIC = Contract(
    inputs=(
        Tensor("phonemes", "INT32", (ANY,)),  # ids, padded with 0
        Tensor("length", "INT32", (1,)),  # without the padding
        Tensor("duration", "FP32", (1,)),  # a factor
        Tensor("pitch_range", "FP32", (1,)),  # a factor
        Tensor("pitch", "FP32", (ANY,)),  # a shift for each phoneme, in standard deviations, padded with 0
        Tensor("energy", "FP32", (1,)),  # a shift, in standard deviations
    ),
    outputs=(
        Tensor("mel", "FP32", (ANY, MEL_BANDS)),
        Tensor("durations", "INT32", (ANY,)),  # in frames, of each phoneme; 0 for padding
    ),
)
"""The frames of ``mel`` beyond the sum of ``durations`` are padding."""

VOCODER = Contract(
    inputs=(Tensor("mel", "FP32", (ANY, MEL_BANDS)),),  # WINDOW_FRAMES or LONG_WINDOW_FRAMES
    outputs=(Tensor("samples", "FP32", (ANY,)),),  # SAMPLES_PER_FRAME as many
)
"""Samples are from -1 to 1."""


SAMBERT = Contract(
    inputs=(
        Tensor("voice", "BYTES", (1,)),
        Tensor("symbols", "BYTES", (1,)),  # a row of the front end, in UTF-8
    ),
    outputs=(Tensor("samples", "FP32", (ANY,)),),
)
"""Samples are from about -1 to 1, at the rate of the model's folder."""


def padded_length(phonemes: int) -> int:
    """Return the length of the bucket for so many phonemes."""
    return -(-max(1, phonemes) // BUCKET_PHONEMES) * BUCKET_PHONEMES


def check_model(model: str, metadata: Mapping[str, Any], config: Mapping[str, Any], contract: Contract) -> None:
    """Compare a model's metadata and configuration, as Triton's JSON has them, with the contract.

    Raises ContractError with everything that differs.
    """
    problems = []
    if int(config.get("max_batch_size", 0)) < 1:
        problems.append("its max_batch_size is 0, so it cannot batch requests; it must be at least 1")
    if not versions(metadata):
        problems.append("no version of it is loaded")
    for kind, wanted in (("inputs", contract.inputs), ("outputs", contract.outputs)):
        problems += _differences(kind[:-1], metadata.get(kind, ()), wanted)
    if problems:
        raise ContractError(
            f"Triton's model {model!r} does not fit: {'; '.join(problems)}. "
            "`tts-server triton-repository` writes models that fit."
        )


def _differences(kind: str, found: Sequence[Mapping[str, Any]], wanted: Sequence[Tensor]) -> list[str]:
    given = {each["name"]: _tensor(each) for each in found}
    problems = []
    for tensor in wanted:
        other = given.pop(tensor.name, None)
        if other is None:
            problems.append(f"it has no {kind} {tensor.name}, which must be {tensor.datatype} {list(tensor.shape)}")
        elif other != tensor:
            problems.append(
                f"its {kind} {tensor.name} is {other.datatype} {list(other.shape)} instead of {tensor.datatype} "
                f"{list(tensor.shape)}"
            )
    # Outputs that nobody asks for cost little. An input that nobody gives makes every request fail.
    if kind == "input":
        problems += [f"it has the input {each}, which is unknown" for each in given.values()]
    return problems


def _tensor(found: Mapping[str, Any]) -> Tensor:
    # Triton's JSON has 64-bit numbers as strings. The first dimension is the batch.
    return Tensor(found["name"], found["datatype"], tuple(int(size) for size in found.get("shape", ()))[1:])


def versions(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the versions of a model that Triton has loaded, in ascending order."""
    return tuple(sorted(int(each) for each in metadata.get("versions", ())))


def revision(metadata: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return what identifies a model's weights: its parameter ``revision``, or else its version."""
    given = config.get("parameters", {}).get(REVISION_PARAMETER, {}).get("string_value", "")
    return str(given or f"{_UNKNOWN_REVISION}{versions(metadata)[-1]}")
