from typing import Any

import pytest

from devcluster.controlplane.apiclient import is_true


@pytest.mark.parametrize("body", [{}, {"status": {}}, {"status": {"conditions": None}}, {"status": {"conditions": []}}])
def test_what_has_no_conditions_yet_has_none_that_is_true(body: dict[str, Any]) -> None:
    assert not is_true(body, "Established")


def test_a_condition_is_found_by_its_type() -> None:
    body = {"status": {"conditions": [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}]}}
    assert is_true(body, "B")
    assert not is_true(body, "A")
