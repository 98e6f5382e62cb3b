from collections.abc import Mapping
from typing import Any

import pytest

from tts_operator.kube.errors import ApiError


def error(status: int, reason: str = "Unknown") -> ApiError:
    return ApiError(status=status, reason=reason, message="")


@pytest.mark.parametrize(
    "status, transient",
    [
        (400, False),
        (401, True),  # the token is read anew
        (403, False),
        (404, False),
        (409, True),
        (410, False),
        (413, False),
        (415, False),
        (422, False),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_transient(status: int, transient: bool) -> None:
    assert error(status).transient is transient


@pytest.mark.parametrize(
    "status, reason, gone",
    [(410, "Gone", True), (410, "Expired", True), (500, "Expired", True), (404, "NotFound", False), (500, "", False)],
)
def test_gone(status: int, reason: str, gone: bool) -> None:
    assert error(status, reason).gone is gone


STATUS = {"kind": "Status", "code": 422, "reason": "Invalid", "message": "spec.replicas: must not be negative"}


@pytest.mark.parametrize(
    "status, body, expected",
    [
        (422, STATUS, (422, "Invalid", "spec.replicas: must not be negative")),
        (200, STATUS, (422, "Invalid", "spec.replicas: must not be negative")),  # inside a watch
        (500, {}, (500, "Unknown", "")),
        (500, {"code": None, "reason": None, "message": None}, (500, "Unknown", "")),
        (502, "<html>Bad Gateway</html>", (502, "Unknown", "<html>Bad Gateway</html>")),
        # JSON of a proxy, which is no metav1.Status.
        (429, {"code": "RATE_LIMITED", "message": "slow down"}, (429, "Unknown", "slow down")),
        (502, {"code": [1], "details": "upstream"}, (502, "Unknown", "")),
        (502, {"details": {"causes": "upstream"}}, (502, "Unknown", "")),
        (502, ["Bad Gateway"], (502, "Unknown", "['Bad Gateway']")),
        (502, None, (502, "Unknown", "None")),
    ],
)
def test_of(status: int, body: object, expected: tuple[int, str, str]) -> None:
    found = ApiError.of(status, body)
    assert (found.status, found.reason, found.message) == expected
    assert str(found) == f"{expected[0]} {expected[1]}: {expected[2]}"


def test_a_page_of_a_proxy_is_cut() -> None:
    assert len(ApiError.of(502, "x" * 5000).message) == 1000


@pytest.mark.parametrize(
    "header, seconds",
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("²", None),
        ("9" * 400, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert ApiError.of(429, {}, header).retry_after == seconds


@pytest.mark.parametrize(
    "details, ends",
    [
        ({"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}, True),
        ({"causes": [{"reason": "FieldValueInvalid"}]}, False),
        ({"causes": [{"message": "no reason"}]}, False),
        ({"causes": None}, False),
        (None, False),
    ],
)
def test_a_namespace_that_ends(details: Mapping[str, Any] | None, ends: bool) -> None:
    assert ApiError.of(403, {"reason": "Forbidden", "details": details}).namespace_ends is ends
