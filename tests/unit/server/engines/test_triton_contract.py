"""What differs between a model of a Triton and what the engine asks for."""

import re
from typing import Any

import pytest

from tts_server.engines.triton.contract import (
    ACOUSTIC,
    VOCODER,
    ContractError,
    check_model,
    padded_length,
    revision,
    versions,
)

CONFIG = {"max_batch_size": 16, "parameters": {"revision": {"string_value": "abc"}}}


def metadata(**changes: Any) -> dict[str, Any]:
    return {
        "versions": ["3"],
        "inputs": [{"name": "mel", "datatype": "FP32", "shape": ["-1", "-1", "80"]}],
        "outputs": [{"name": "samples", "datatype": "FP32", "shape": ["-1", "-1"]}],
        **changes,
    }


def test_a_model_that_fits() -> None:
    check_model("vocoder", metadata(), CONFIG, VOCODER)
    more = [*metadata()["outputs"], {"name": "loudness", "datatype": "FP32", "shape": ["-1", "1"]}]
    check_model("vocoder", metadata(outputs=more), CONFIG, VOCODER)


@pytest.mark.parametrize(
    "changes,config,expected",
    [
        (
            {"inputs": [{"name": "mel", "datatype": "FP32", "shape": ["-1", "128", "80"]}]},
            CONFIG,
            "Triton's model 'vocoder' does not fit: its input mel is FP32 [128, 80] instead of FP32 [-1, 80].",
        ),
        (
            {"inputs": [{"name": "mel", "datatype": "FP16", "shape": ["-1", "-1", "80"]}]},
            CONFIG,
            "its input mel is FP16 [-1, 80] instead of FP32 [-1, 80]",
        ),
        ({"outputs": []}, CONFIG, "it has no output samples, which must be FP32 [-1]"),
        (
            {"inputs": [*metadata()["inputs"], {"name": "speaker", "datatype": "INT32", "shape": ["-1", "1"]}]},
            CONFIG,
            "it has the input speaker INT32 [1], which is unknown",
        ),
        ({}, {"max_batch_size": 0}, "its max_batch_size is 0, so it cannot batch requests"),
        ({"versions": []}, CONFIG, "no version of it is loaded"),
    ],
)
def test_what_differs_is_named(changes: dict[str, Any], config: dict[str, Any], expected: str) -> None:
    with pytest.raises(ContractError, match=re.escape(expected)):
        check_model("vocoder", metadata(**changes), config, VOCODER)


def test_everything_that_differs_is_named_at_once() -> None:
    with pytest.raises(ContractError) as caught:
        check_model("acoustic", {"versions": ["1"]}, {}, ACOUSTIC)
    for tensor in (*ACOUSTIC.inputs, *ACOUSTIC.outputs):
        assert f" {tensor.name}, which must be {tensor.datatype}" in str(caught.value)
    assert "tts-server triton-repository" in str(caught.value)


def test_revision_and_versions() -> None:
    assert versions(metadata(versions=["10", "9"])) == (9, 10)
    assert revision(metadata(), CONFIG) == "abc"
    assert revision(metadata(versions=["2", "10"]), {"max_batch_size": 16}) == "version10"


@pytest.mark.parametrize("phonemes,expected", [(1, 32), (32, 32), (33, 64), (100, 128)])
def test_buckets(phonemes: int, expected: int) -> None:
    assert padded_length(phonemes) == expected
