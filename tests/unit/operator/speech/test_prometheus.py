"""Prometheus' responses, compared with a threshold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tts_operator.speech.prometheus import MetricCheck, judge_answer


def vector(*values: str) -> dict[str, Any]:
    return {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.7e9, each]} for each in values]},
    }


def scalar(value: str) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "scalar", "result": [1.7e9, value]}}


@pytest.mark.parametrize(
    "answer, limits, ok, said",
    [
        (vector("0.02"), {"max": 0.05}, True, "the query returned 0.02"),
        (vector("0.07"), {"max": 0.05}, False, "the query returned 0.07; the limit is 0.05"),
        (vector("0.01", "0.07", "NaN"), {"max": 0.05}, False, "returned 0.07"),
        (vector("0.9"), {"min": 0.95}, False, "the query returned 0.9; it must be at least 0.95"),
        (vector("0.99", "0.97"), {"min": 0.95}, True, "the query returned 0.97"),
        (vector("+Inf"), {"max": 1}, False, "returned inf"),
        (scalar("3"), {"max": 3, "min": 3}, True, "returned 3"),
        (vector("NaN"), {"max": 1}, None, "Prometheus returns only NaN, like a ratio without requests"),
        (vector(), {"max": 1}, None, "Prometheus finds no series"),
        (
            {"status": "success", "data": {"resultType": "matrix", "result": []}},
            {"max": 1},
            None,
            "Prometheus answers with a matrix; the query must return numbers",
        ),
        (
            {"status": "error", "errorType": "bad_data", "error": "parse error"},
            {"max": 1},
            None,
            "Prometheus rejects the query (bad_data): parse error",
        ),
        ({"data": 1}, {"max": 1}, None, "something other than its API"),
        ([], {"max": 1}, None, "something other than its API"),
        ({"status": "success", "data": {"resultType": "vector", "result": 3}}, {"max": 1}, None, "other than its API"),
    ],
)
def test_answers(answer: Any, limits: dict[str, float], ok: bool | None, said: str) -> None:
    found = judge_answer(200, json.dumps(answer).encode(), MetricCheck(query="up", **limits))
    assert found.ok is ok
    assert said in found.message


def test_a_page_that_is_not_prometheus() -> None:
    found = judge_answer(404, b"<html>", MetricCheck(query="up"))
    assert found.ok is None
    assert found.message == "Prometheus answers 404 with something other than its API; check the address"
