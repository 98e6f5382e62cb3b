"""Conditions are valid for the API server, whatever a kubelet or container runtime reports."""

import re

import pytest

from tts_operator.api.status import REASON_MAX, REASON_PATTERN, condition_reason


@pytest.mark.parametrize(
    "given, told",
    [
        ("ImagePullBackOff", "ImagePullBackOff"),
        ("Error_2:a,b", "Error_2:a,b"),
        ("image pull back-off", "ImagePullBackOff"),
        ("2 many requests", "ManyRequests"),
        ("Error:", "Error"),
        ("", "Unknown"),
        ("404", "Unknown"),
        ("中文", "Unknown"),
        ("x" * 2000, "x" * REASON_MAX),
    ],
)
def test_the_reason_of_a_condition(given: str, told: str) -> None:
    assert condition_reason(given) == told
    assert re.fullmatch(REASON_PATTERN, told)
    assert len(told) <= REASON_MAX
